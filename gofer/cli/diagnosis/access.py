"""What the token opens on the server, and whether the namespace is there."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from gofer.cli.context import CliContext
from gofer.cli.diagnosis.finding import Finding, bad, warning
from gofer.cli.words import relative, time_of
from gofer_sdk import errors

if TYPE_CHECKING:
    from gofer_sdk._proto import proto
    from gofer_sdk.client import GoferClient

HOW_TO_GET_ONE: Final = (
    "gofer service token create client, by somebody who manages the server; "
    "then export GOFER_CLI_TOKEN, or token = in the file"
)
_LAST_SHARE: Final = 10
"""A token in the last tenth of its life is worth a word."""


async def look_at_access(cli: CliContext, client: "GoferClient") -> AsyncIterator[Finding]:
    """Look at the token and the namespace."""
    try:
        me = await client.tokens.who_am_i()
    except errors.NotServed:
        return  # a 0.6 server
    except errors.CallFailed as error:
        yield bad("token", error.message, mend=HOW_TO_GET_ONE)
        return
    if me.without_token:
        yield Finding(subject="token", text="the server lets you do everything, without one (development)")
    elif me.details is not None:
        for finding in _token(me.details):
            yield finding
    yield await _namespace(cli, client, me.details)


def _token(token: "proto.Token") -> Iterator[Finding]:
    kind = (token.kind.name or "").lower()
    expires_at, made_at = time_of(token.expires), time_of(token.created)
    if expires_at is None or made_at is None:
        yield Finding(subject="token", text=f"{token.id} is accepted ({kind})")
        return
    left = expires_at - datetime.now(UTC)
    text = f"{token.id} is accepted ({kind}), and expires {relative(left)}"
    if left * _LAST_SHARE < expires_at - made_at:
        yield warning("token", text, mend=HOW_TO_GET_ONE)
    else:
        yield Finding(subject="token", text=text)


async def _namespace(cli: CliContext, client: "GoferClient", token: "proto.Token | None") -> Finding:
    subject, name = "namespace", cli.settings.namespace
    own = next((each for each in (token.namespaces if token else ()) if not set("*?") & set(each)), "default")
    try:
        if not name:
            await client.pipelines.list(limit=1)
            return Finding(subject=subject, text="none is named: the server chooses yours")
        await client.namespaces.get(name)
    except errors.NotFound as error:
        mend = f"gofer namespace create {name} NAME, or choose another: gofer namespace set {own}"
        return bad(subject, error.message, mend=mend)
    except errors.CallFailed as error:
        return bad(subject, error.message, mend=f"gofer namespace set {own}")
    return Finding(subject=subject, text=f"{name} is there, and open to you")
