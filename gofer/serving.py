"""The process of `gofer service start`: settings, log, signals, and the server between them."""

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Final

import structlog

from gofer.app import running_app, settle
from gofer.checking import Checked, check
from gofer.config.settings import LogLevel, Settings
from gofer.core.errors import GoferError
from gofer.lifecycle import exit_in_time, running, stop_on_signals
from gofer.logging import set_up_logging
from gofer.reloading import Reloader
from gofer.systemd import ServiceManager, Watchdog, is_journal

_log = structlog.get_logger(__name__)

STDERR: Final = 2
AT_ONCE: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Process:
    """What the server has of its process: how it was started, and what ends it in time."""

    settings: Settings
    read: Callable[[], Checked]
    use_level: Callable[[LogLevel], None]
    stopping: Callable[[], None]
    manager: ServiceManager = field(default_factory=ServiceManager)


async def _serve(process: _Process) -> None:
    stop = asyncio.Event()
    manager = process.manager

    def begin_to_stop() -> None:
        process.stopping()
        stop.set()

    with stop_on_signals(begin_to_stop), _hangups(process, begin_to_stop) as hangup:
        async with running_app(process.settings, stop=begin_to_stop) as app:
            settle()
            status = f"listening on {app.server.address}"
            reloader = Reloader(
                settings=process.settings,
                status=status,
                manager=manager,
                read=process.read,
                use_certificate=app.reload_certificate,
                use_level=process.use_level,
                asked=hangup,
            )
            async with running(reloader, grace=AT_ONCE), running(Watchdog(manager), grace=AT_ONCE):
                manager.ready(status=status)
                await stop.wait()
            _log.info("stopping; containers go on running")
            manager.stopping(status="letting calls finish")
    _log.info("stopped")


@contextmanager
def _hangups(process: _Process, stop: Callable[[], None]) -> Iterator[asyncio.Event]:
    """Give what SIGHUP sets, for the length of the block; in dev mode on a terminal it means that the terminal went."""
    loop = asyncio.get_running_loop()
    hangup = asyncio.Event()
    on_terminal = process.settings.dev_mode and sys.stdin is not None and sys.stdin.isatty()
    loop.add_signal_handler(signal.SIGHUP, stop if on_terminal else hangup.set)
    try:
        yield hangup
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


def main(*, config_path: str | None, dev_mode: bool) -> int:
    """Run the server of `gofer service start` until a signal ends it; give the process's exit code."""
    read = partial(check, config_path=config_path, dev_mode=dev_mode)
    checked = read()
    if checked.faults or checked.settings is None:
        return _refuse(checked.faults)
    settings = checked.settings
    with set_up_logging(settings, to_journal=is_journal(STDERR)) as use_level:
        for warning in checked.warnings:
            _log.warning(warning)
        try:
            with exit_in_time(settings.server.shutdown_timeout) as stopping:
                asyncio.run(_serve(_Process(settings=settings, read=read, use_level=use_level, stopping=stopping)))
        except GoferError as error:
            _log.critical("the server can't run", error=error.message)
            return 1
    return 0


def _refuse(faults: Sequence[str]) -> int:
    sys.stderr.write("".join(f"gofer: {fault}\n" for fault in faults))
    return 1
