"""An ability that a store may have: handing what it keeps to a backup, and taking it from one.

A store has it by its methods `back_up` and `restore`; `backing_up` looks for them. Errors mean what they mean in
`gofer.engines.protocols`.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Protocol, TypeAlias, cast

from gofer.core.ids import BlobKey
from gofer.engines.protocols import ObjectStoreEngine, SecretStoreEngine

Store: TypeAlias = ObjectStoreEngine | SecretStoreEngine


class BackedUpStore(Protocol):
    """A store that can be backed up.

    Both methods are called on a new engine that is not entered, one of them once or more, and in another process than
    the server's: what entering would sweep, the running server may be in the middle of.
    """

    async def back_up(self, keys: Collection[BlobKey], folder: Path) -> Collection[BlobKey]:
        """Put what is kept under the keys into a folder, in files of any names; give those keys that are not there.

        The server may put and delete meanwhile, though what is under a key then keeps its meaning: of one that is
        replaced either content will do. The folder is there and empty, or holds what an earlier call of this backup
        has left, which need not be done again. Files need not be synced, nor closed to others: that is done to them.
        """
        ...

    async def restore(self, folder: Path) -> None:
        """Put what `back_up` left in a folder into the store, under its keys, in the place of what is there.

        Once it returns all of it survives a failure of the power. Called again after a failure, it does the rest. No
        server uses those keys meanwhile; others, of other instances too, are left as they are.
        """
        ...


def backing_up(store: Store) -> BackedUpStore | None:
    """Give the store as one that can be backed up; None where it can't."""
    return cast("BackedUpStore", store) if hasattr(store, "back_up") and hasattr(store, "restore") else None
