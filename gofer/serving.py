"""The process of `gofer service start`: settings, log, signals, and the server between them."""

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from gofer.app import running_app, settle
from gofer.config.check import start_warnings, why_not_startable
from gofer.config.load import load_settings
from gofer.config.settings import Settings
from gofer.core.errors import GoferError, InvalidInput
from gofer.engines.registry import EngineRegistry
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
    try:
        loaded = load_settings(
            config_path=Path(config_path) if config_path else None,
            dev_mode=dev_mode,
            environment=os.environ,
            home=Path.home(),
            engines=EngineRegistry().scheduler_names,
        )
    except InvalidInput as error:
        return _refuse(error.faults)
    faults = why_not_startable(loaded.settings)
    if faults:
        return _refuse(faults)
    with set_up_logging(loaded.settings):
        for warning in (*loaded.warnings, *start_warnings(loaded.settings)):
            _log.warning(warning)
        try:
            with exit_in_time(loaded.settings.server.shutdown_timeout) as stopping:
                asyncio.run(_serve(loaded.settings, stopping=stopping))
        except GoferError as error:
            _log.critical("the server can't run", error=error.message)
            return 1
    return 0


def _refuse(faults: Sequence[str]) -> int:
    sys.stderr.write("".join(f"gofer: {fault}\n" for fault in faults))
    return 1
