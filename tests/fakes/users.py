"""Being another user for a moment, as only root can."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest

ANOTHER: Final = 65_534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@contextmanager
def as_another_user() -> Iterator[None]:
    """Let this process be an ordinary user, without root's rights, for the length of the block."""
    os.setresuid(ANOTHER, ANOTHER, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
