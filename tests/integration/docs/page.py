"""A page of the guide, read as the steps that a reader takes.

A fenced block of `console` holds commands behind `$ ` and what each of them shows; Python blocks are parts of a
program, unless they are included from the examples. What a reader does not see is said in a comment above a block:

    <!-- exit 1 -->             the command fails with this status
    <!-- any order -->          the lines come in any order
    <!-- file here/x.py -->     the block is what the reader saves there
    <!-- the server stops -->   no block: the reader presses Ctrl-C in the server's terminal
    <!-- the server is killed -->  no block
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[3]
PAGES: Final = ROOT / "docs" / "pages"

_MARKS: Final = re.compile(r"<!-- (.+?) -->")
_FENCE: Final = re.compile(r" *```(?P<kind>\w*)[^`]*$")
_INCLUDE: Final = '--8<-- "'
_PROMPT: Final = "$ "


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command, the lines that the page shows below it (None: it shows none), and how it must end."""

    line: int
    text: str
    shown: tuple[str, ...] | None = None
    status: int = 0
    any_order: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedFile:
    """A file that the reader saves."""

    path: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """A part of a Python program; the parts of a page share their names."""

    line: int
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerEnds:
    """The reader ends the server, by Ctrl-C or by force."""

    by_force: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block, and what the comments above it say."""

    line: int
    kind: str
    lines: tuple[str, ...]
    marks: tuple[str, ...]

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)

    def after(self, word: str) -> str | None:
        """What a mark says after a word, None where there is no such mark."""
        return next((mark.removeprefix(word).strip() for mark in self.marks if mark.startswith(word)), None)


Step = Command | SavedFile | Fragment | ServerEnds


def steps_of(page: Path) -> tuple[Step, ...]:
    """The steps of a page in their order."""
    return tuple(_steps(page.read_text(encoding="utf-8")))


def blocks_of(text: str) -> Iterator[Block]:
    """The fenced blocks of a page."""
    return (part for part in _parts(text) if isinstance(part, Block))


def _steps(text: str) -> Iterator[Step]:
    for part in _parts(text):
        if isinstance(part, ServerEnds):
            yield part
            continue
        path = part.after("file ")
        if path is not None:
            yield SavedFile(path=path, text=part.text)
        elif part.kind == "console":
            yield from _commands(part)
        elif part.kind == "python" and _INCLUDE not in part.text:
            yield Fragment(line=part.line + 1, code=part.text)


def _parts(text: str) -> Iterator[Block | ServerEnds]:
    lines = iter(enumerate(text.splitlines(), 1))
    marks: list[str] = []
    for number, line in lines:
        fence = _FENCE.fullmatch(line)
        if fence:
            body = tuple(inner for _, inner in takewhile(_is_inside, lines))
            yield Block(line=number, kind=fence["kind"], lines=body, marks=tuple(marks))
            marks = []
        for mark in _MARKS.findall(line):
            if mark.startswith("the server "):
                yield ServerEnds(by_force="killed" in mark)
            else:
                marks.append(mark)


def _is_inside(numbered: tuple[int, str]) -> bool:
    return not numbered[1].strip().startswith("```")


def _commands(block: Block) -> Iterator[Command]:
    found: list[Command] = []
    for number, line in enumerate(block.lines, block.line + 1):
        if line.startswith(_PROMPT):
            found.append(Command(line=number, text=line.removeprefix(_PROMPT)))
        elif line or found[-1].shown:
            found[-1] = replace(found[-1], shown=(*(found[-1].shown or ()), line))
    status = int(block.after("exit ") or 0)
    for command in found:
        yield replace(command, status=status, any_order="any order" in block.marks)
