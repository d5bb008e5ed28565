"""`gofer context`: who one is, on which server, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from gofer.cli.aio import command
from gofer.cli.commands.token import token_fields
from gofer.cli.context import CliContext, cli_of
from gofer.cli.words import NOTHING

if TYPE_CHECKING:
    from gofer.cli.tables import Cell
    from gofer.config.client_settings import Origin
    from gofer_sdk._proto import proto


@dataclass(slots=True, kw_only=True)
class _Context:
    """What counts here, as JSON tells it; what the server did not tell is null."""

    settings: "Sequence[Origin]"
    server: "proto.GetSystemInfoResponse | None" = None
    caller: "proto.WhoAmIResponse | None" = None

    def to_dict(self) -> dict[str, object]:
        """Return it as a tree for JSON."""
        return {
            "settings": [{"name": each.name, "value": each.value, "from": each.place} for each in self.settings],
            "server": self.server.to_dict() if self.server else None,
            "caller": self.caller.to_dict() if self.caller else None,
        }


@command
async def context(ctx: typer.Context) -> None:
    """Show who you are, on which server, and where each of your settings comes from; never the token itself.

    The settings are shown also where the server can't be asked, which then is the error.
    """
    from gofer_sdk.errors import CallFailed

    cli = cli_of(ctx)
    found = _Context(settings=cli.origins())
    failure: CallFailed | None = None
    async with cli.client() as client:
        try:
            found.server = await client.system.info()
            found.caller = await client.tokens.who_am_i()
        except CallFailed as error:
            failure = error
    _show(cli, found)
    if failure is not None:
        raise failure


def _show(cli: CliContext, found: _Context) -> None:
    output = cli.output
    output.json(found)
    server = str(cli.settings.host)
    if found.server is not None:
        server += f" (Gofer {found.server.semver}, {'development' if found.server.dev_mode else 'production'})"
    rows: list[tuple[str, Cell | str]] = [("Server", server)]
    if found.caller is not None and found.caller.details is not None:
        rows.extend((f"Token {name.lower()}", value) for name, value in token_fields(cli, found.caller.details))
    elif found.caller is not None:
        rows.append(("You", "may do everything, without a token: the server runs in dev mode"))
    output.fields(rows)
    output.line()
    output.table(
        ("Setting", "Value", "From"), [[each.name, each.value or NOTHING, each.place] for each in found.settings]
    )
