"""Paths as people write them, with `~` for a home folder."""

import os
from pathlib import Path


def expanded(text: str) -> Path:
    """Return the path, with the home folder of whoever is named at its beginning; of somebody unknown it stays `~`."""
    return Path(os.path.expanduser(text))  # noqa: PTH111 (Path's own fails without saying of what)
