"""Which token a text is: asked by every call, so answered from memory, and never out of date."""

from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Final

from gofer.core.access import Token, TokenHash, TokenId
from gofer.sealing import hash_token, is_same_hash
from gofer.sqlite import Database
from gofer.storage.unit import Unit

MOST_KEPT: Final = 2048
OnRevoked = Callable[[Collection[TokenId]], None]


class KnownTokens:
    """Finds tokens by their text, and tells of those that were revoked.

    `revoked` has to be called after each commit that revoked tokens, on the loop, before its writer hears of it.
    """

    def __init__(self, *, most_kept: int = MOST_KEPT) -> None:
        """Keep that many tokens in memory, those last asked for. What is no token is never kept."""
        self._kept: OrderedDict[TokenHash, Token] = OrderedDict()
        self._most_kept = most_kept
        self._listeners: list[OnRevoked] = []
        self._changes = 0

    def on_revoked(self, listener: OnRevoked) -> None:
        """Have `listener` called with the ids of tokens as soon as they open nothing any more; it must not fail."""
        self._listeners.append(listener)

    def revoked(self, ids: Collection[TokenId]) -> None:
        """Forget these tokens and tell the listeners."""
        if not ids:
            return
        self._changes += 1
        gone = frozenset(ids)
        for hashed in [hashed for hashed, token in self._kept.items() if token.id in gone]:
            del self._kept[hashed]
        for listener in self._listeners:
            listener(gone)

    async def find(self, database: Database[Unit], text: str) -> Token | None:
        """Give the token with this text, as it is stored at the moment of the return; None where there is none.

        Whoever acts on it without awaiting anything hears of every later revocation as a listener.
        """
        hashed = hash_token(text)
        while True:
            kept = self._kept.get(hashed)
            if kept is not None:
                self._kept.move_to_end(hashed)
                return kept
            before = self._changes
            found = await database.read(lambda unit: unit.tokens.find_by_hash(hashed))
            if found is None or not is_same_hash(found[1], hashed):
                return None
            if before == self._changes:
                return self._keep(hashed, found[0])
            # Something was revoked while this was read: it may have been this one.

    def _keep(self, hashed: TokenHash, token: Token) -> Token:
        self._kept[hashed] = token
        if len(self._kept) > self._most_kept:
            self._kept.popitem(last=False)
        return token
