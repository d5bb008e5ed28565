"""Reading the settings again while the server runs: its certificate and the level of its log take effect at once."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import structlog

from gofer.checking import Checked
from gofer.config.settings import LogLevel, Settings
from gofer.core.errors import FailedPrecondition
from gofer.systemd import ServiceManager

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloader:
    """A worker that reads the settings again whenever it is asked to.

    `read` blocks on the disk. `use_certificate` raises `FailedPrecondition` and changes nothing where the certificate
    can't be used. Settings with a fault change nothing at all.
    """

    name = "reloader"

    settings: Settings
    status: str
    manager: ServiceManager
    read: Callable[[], Checked]
    use_certificate: Callable[[Settings], Awaitable[None]]
    use_level: Callable[[LogLevel], None]
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    def ask(self) -> None:
        """Have them read again, soon."""
        self.asked.set()

    async def run(self, ready: Callable[[], None]) -> None:
        """Wait to be asked, until stopped."""
        ready()
        while True:
            await self.asked.wait()
            if self.stopped.is_set():
                return
            self.asked.clear()
            self.manager.reloading(status="reading the settings again")
            await self._reload()
            self.manager.ready(status=self.status)

    def stop(self) -> None:
        """Read them no more."""
        self.stopped.set()
        self.asked.set()

    async def _reload(self) -> None:
        checked = await asyncio.to_thread(self.read)
        for fault in checked.faults:
            _log.error("the settings have a fault", fault=fault)
        if checked.faults or checked.settings is None:
            _log.error("the settings stay as they were: correct them, and send SIGHUP again")
            return
        try:
            await self.use_certificate(checked.settings)
        except FailedPrecondition as error:
            _log.error("the settings stay as they were", error=error.message)
            return
        self.use_level(checked.settings.log_level)
        for warning in checked.warnings:
            _log.warning(warning)
        _log.info("the certificate and the log level are those of the settings now")
        if _without_reloaded(checked.settings) != _without_reloaded(self.settings):
            _log.warning("other settings have changed too: they take effect when the server is restarted")


def _without_reloaded(settings: Settings) -> Settings:
    server = replace(settings.server, tls_cert_path="", tls_key_path="")
    return replace(settings, log_level=LogLevel.INFO, server=server)
