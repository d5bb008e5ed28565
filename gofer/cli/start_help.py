"""The help of `gofer service start`, which ends in every setting and its variable."""

import shutil
import textwrap
from collections.abc import Iterator
from typing import Final

import typer
from typer.core import TyperCommand

_WIDEST: Final = 100
_HEAD: Final = "Settings, by the environment variable that gives each of them and beats the file:"


class StartCommand(TyperCommand):
    """A command whose help lists the server's settings; they are looked up only when it is asked for."""

    def get_help(self, ctx: typer.Context) -> str:  # type: ignore[override]  # Typer hands on its own
        """Return the help of the options, and the settings below it."""
        return "\n".join([super().get_help(ctx).rstrip(), "", _HEAD, *_settings()])


def _settings() -> Iterator[str]:
    from gofer.config.keys import all_keys
    from gofer.config.settings import SAMPLE_ENCRYPTION_KEY

    width = min(shutil.get_terminal_size().columns, _WIDEST)
    for key in all_keys():
        default = "the sample's" if key.default == SAMPLE_ENCRYPTION_KEY else key.default_text or "empty"
        text = f"{' '.join(key.meaning.split())} [default: {default}]"
        yield f"  {key.variable}"
        yield textwrap.fill(text, width, initial_indent=" " * 6, subsequent_indent=" " * 6, break_on_hyphens=False)
