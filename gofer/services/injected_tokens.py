"""The tokens of task runs: made at launch for those that ask, gone with their end, good for their own pipeline."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from gofer.core.access import NamespacePattern, Token, TokenId, TokenKind
from gofer.core.errors import FailedPrecondition
from gofer.core.ids import TaskRunKey
from gofer.core.secret import Secret
from gofer.core.variables import API_TOKEN, CLI_HOST, CLI_TLS_CA, CLI_TOKEN
from gofer.sealing import hash_token, make_token, make_token_id
from gofer.services.known_tokens import KnownTokens
from gofer.sqlite import Database
from gofer.storage.unit import Unit

_DESCRIPTION: Final = "made for a task run, and gone with it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """Where a task reaches the API, as `host:port`, and the certificates in PEM that it must trust there."""

    host: str
    tls_ca: str


class InjectedTokens:
    """Makes the token of a task run, and what the command line needs beside it to work inside the task.

    A token is in memory only, besides its hash in the database, and revoked in the commit that ends its task run; that
    of a task that is taken up after a restart stays as it is. It has no expiry of its own: its task run may take long.
    """

    def __init__(self, *, database: Database[Unit], known: KnownTokens) -> None:
        self._database = database
        self._made: dict[TaskRunKey, tuple[TokenId, Secret]] = {}
        self._callback: Callback | None = None
        self._listening = asyncio.Event()
        known.on_revoked(self._forget)

    def listening(self, callback: Callback) -> None:
        """Tell where the API is reached, once it is; until then tasks that ask for a token wait."""
        self._callback = callback
        self._listening.set()

    async def variables(self, key: TaskRunKey) -> dict[str, Secret | str]:
        """Give the values of the variables that hold `<injected>`; the same ones when asked again in this process.

        Raises `FailedPrecondition` where the task run has ended.
        """
        await self._listening.wait()
        assert self._callback is not None  # noqa: S101 - it was set before the event
        text = await self._token(key)
        return {
            API_TOKEN: text,
            CLI_TOKEN: text,
            CLI_HOST: self._callback.host,
            CLI_TLS_CA: self._callback.tls_ca,
        }

    async def _token(self, key: TaskRunKey) -> Secret:
        made = self._made.get(key)
        if made is not None:
            return made[1]
        text, token = make_token(), make_token_id()

        def write(unit: Unit) -> None:
            if unit.runs.get_task_run(key).state.is_terminal:
                raise FailedPrecondition(f"the task run {key} has ended")
            # One for each task run: an earlier process may have made one for a launch that it didn't live to see.
            unit.tokens.delete_of_task_run(key)
            unit.tokens.insert(
                Token(
                    id=token,
                    kind=TokenKind.CLIENT,
                    namespaces=(NamespacePattern(key.namespace),),
                    metadata={"description": _DESCRIPTION},
                    created_at=unit.now,
                    expires_at=None,
                    task_run=key,
                ),
                hash_token(text.reveal()),
            )

        # Kept first: what ends the task run right after the commit takes it away again.
        self._made[key] = (token, text)
        try:
            await self._database.write(write)
        except BaseException:
            self._made.pop(key, None)
            raise
        return text

    def _forget(self, ids: Collection[TokenId]) -> None:
        for key in [key for key, (token, _) in self._made.items() if token in ids]:
            del self._made[key]
