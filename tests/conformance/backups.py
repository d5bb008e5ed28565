"""What every store keeps to that can be backed up by its own means."""

import pytest

from gofer.engines.backing_up import BackedUpStore, Store, backing_up


def able_to_back_up(store: Store) -> BackedUpStore:
    """Give the store as one that can be; skips where it can't."""
    able = backing_up(store)
    if able is None:
        pytest.skip(f"the store {store.name} has no means of its own to be backed up")
    return able
