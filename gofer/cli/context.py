"""What every command needs: the settings, a client made from them, and where to print."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from gofer.cli.output import Output
from gofer.config.client_flags import ClientFlags
from gofer.core.errors import InvalidInput

_WORTH_TELLING: Final = timedelta(milliseconds=500)

if TYPE_CHECKING:
    from gofer.config.client_settings import ClientSettings, Origin
    from gofer_sdk.client import GoferClient, Patience
    from gofer_sdk.errors import CallFailed


@dataclass(frozen=True, kw_only=True)
class CliContext:
    """One call of the command line. Nothing is read before it is asked for, so that help is quick."""

    flags: ClientFlags
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    home: Path = field(default_factory=Path.home)

    @cached_property
    def settings(self) -> "ClientSettings":
        """The settings out of flags, environment and file. Raises InvalidInput."""
        from gofer.config.client_settings import load_client_settings

        return load_client_settings(self.flags, environment=self.environment, home=self.home)

    @cached_property
    def output(self) -> Output:
        """Where to print, as the settings say; for people where the settings can't be read."""
        try:
            settings = self.settings
        except InvalidInput:
            return Output(no_color=bool(self.flags.no_color))
        return Output(format=settings.format, no_color=settings.no_color, detail=settings.detail)

    def origins(self) -> "tuple[Origin, ...]":
        """Say of each setting where it comes from. Raises InvalidInput."""
        from gofer.config.client_settings import explain_client_settings

        return explain_client_settings(self.flags, environment=self.environment, home=self.home)

    @property
    def config_path_to_write(self) -> Path:
        """The file that a changed setting belongs in."""
        from gofer.config.client_settings import config_path_to_write

        return config_path_to_write(self.flags, environment=self.environment, home=self.home)

    def client(self, *, patience: "Patience | None" = None) -> "GoferClient":
        """Return a client for the server, to be used as an asynchronous context manager. Raises InvalidInput."""
        from gofer_sdk.client import GoferClient

        settings = self.settings
        try:
            return GoferClient(
                host=str(settings.host),
                token=settings.token or None,
                tls_ca=settings.tls_ca,
                namespace=settings.namespace,
                patience=patience,
                on_retry=self._tell_retry,
            )
        except ValueError as error:
            raise InvalidInput(str(error)) from error

    @cached_property
    def _told(self) -> set[str]:
        return set()

    def _tell_retry(self, failure: "CallFailed", delay: timedelta) -> None:
        # Several streams fail at once, and short waits are over before they are read.
        if delay >= _WORTH_TELLING and failure.message not in self._told:
            self._told.add(failure.message)
            self.output.hint(f"{failure.message}; trying again for a while")


def cli_of(ctx: typer.Context) -> CliContext:
    """Return what the root command has prepared for its commands."""
    found = ctx.find_object(CliContext)
    if found is None:
        raise TypeError("the root command has not run")
    return found
