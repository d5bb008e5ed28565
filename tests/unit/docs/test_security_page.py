"""Each attack on the page about security is tried by tests that are there."""

import re
from pathlib import Path
from typing import Final

from docs.generate import DOCS

ROOT: Final = DOCS.parent
PAGE: Final = DOCS / "pages" / "concepts" / "security.md"
ATTACKS: Final = 23
"""Fewer: one was forgotten."""


def rows() -> list[list[str]]:
    _, _, table = PAGE.read_text().partition("## What is tried")
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:2] == "| "][
        1:
    ]


def test_no_attack_is_forgotten() -> None:
    assert ATTACKS == len({attack for attack, *_ in rows()})
    assert all(len(row) == 3 and all(row) for row in rows())


def test_each_attack_is_tried_by_tests_that_are_there() -> None:
    for attack, _, tests in rows():
        names = re.findall(r"`([^`]+)::(test_\w+)`", tests)
        assert names, attack
        for path, name in names:
            assert f"def {name}(" in _text(ROOT / path), f"{path}::{name}"


def _text(path: Path) -> str:
    return path.read_text() if path.is_file() else ""
