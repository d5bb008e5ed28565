"""Which commit this code was built from: the stamp that a build puts beside it, else what its checkout says.

Only files are read, by the build too, which loads this module by its path: it imports nothing of ours.
"""

import re
from pathlib import Path
from typing import Final

STAMP: Final = "commit.txt"
"""In the package's folder, in what was built; never in a checkout."""
DIGITS: Final = 7
_HASH: Final = re.compile(r"[0-9a-f]{7,64}")
_MOST_LINKS: Final = 5


def built_from(package: Path) -> str:
    """Give the first seven digits of the commit that the package in that folder came from; "" where nothing tells.

    Blocks on the disk, shortly. What can't be read tells nothing.
    """
    stamp = _line(package / STAMP)
    project = package.parent
    if not stamp and (project / "pyproject.toml").is_file():  # else it is installed, and what is beside it is foreign
        stamp = _checked_out(project / ".git")
    return stamp[:DIGITS] if _HASH.fullmatch(stamp) else ""


def _checked_out(git: Path) -> str:
    if git.is_file():  # a working tree beside the one that was cloned
        git = git.parent / _line(git).removeprefix("gitdir:").strip()
    shared = git / (_line(git / "commondir") or ".")
    found = _line(git / "HEAD")
    for _ in range(_MOST_LINKS):
        if not found.startswith("ref:"):
            return found
        ref = found.removeprefix("ref:").strip()
        found = _line(git / ref) or _line(shared / ref) or _packed(shared, ref)
    return ""


def _packed(git: Path, ref: str) -> str:
    for line in _text(git / "packed-refs").splitlines():
        found, _, name = line.partition(" ")
        if name == ref:
            return found
    return ""


def _line(path: Path) -> str:
    return next(iter(_text(path).splitlines()), "").strip()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


COMMIT: Final = built_from(Path(__file__).parent)
"""This code's own, as it was when it was loaded."""
