"""The process of `gofer service start`: settings, log, signals, and the server between them."""

import asyncio
import sys
from collections.abc import Callable, Sequence

import structlog

from gofer.app import running_app, settle
from gofer.checking import check
from gofer.config.settings import Settings
from gofer.core.errors import GoferError
from gofer.lifecycle import exit_in_time, stop_on_signals
from gofer.logging import set_up_logging
from gofer.systemd import ServiceManager

_log = structlog.get_logger(__name__)


async def _serve(settings: Settings, *, stopping: Callable[[], None]) -> None:
    stop = asyncio.Event()
    manager = ServiceManager()

    def begin_to_stop() -> None:
        stopping()
        stop.set()

    with stop_on_signals(begin_to_stop):
        async with running_app(settings) as app:
            settle()
            manager.ready(status=f"listening on {app.server.address}")
            await stop.wait()
            _log.info("stopping; containers go on running")
            manager.stopping(status="letting calls finish")
    _log.info("stopped")


def main(*, config_path: str | None, dev_mode: bool) -> int:
    """Run the server of `gofer service start` until a signal ends it; give the process's exit code."""
    checked = check(config_path=config_path, dev_mode=dev_mode)
    if checked.faults or checked.settings is None:
        return _refuse(checked.faults)
    settings = checked.settings
    with set_up_logging(settings):
        for warning in checked.warnings:
            _log.warning(warning)
        try:
            with exit_in_time(settings.server.shutdown_timeout) as stopping:
                asyncio.run(_serve(settings, stopping=stopping))
        except GoferError as error:
            _log.critical("the server can't run", error=error.message)
            return 1
    return 0


def _refuse(faults: Sequence[str]) -> int:
    sys.stderr.write("".join(f"gofer: {fault}\n" for fault in faults))
    return 1
