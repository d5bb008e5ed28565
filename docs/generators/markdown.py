"""Pieces of Markdown."""

from collections.abc import Iterable, Sequence
from typing import Final

NOTE: Final = "<!-- Made from the code by `python -m docs.generate`: change it there. -->"


def generated_page(title: str, *parts: str) -> str:
    """Return a page: its title and its parts."""
    return join(NOTE, f"# {title}", *parts)


def join(*parts: str) -> str:
    """Return the parts that are not empty, with an empty line between them."""
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; the cells are Markdown."""
    lines = [headers, ["---"] * len(headers), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines)


def code(text: str) -> str:
    """Return a text as code; nothing for an empty one."""
    return f"`{text}`" if text else ""


def sentences(text: str) -> str:
    """Join the lines of a comment or docstring into one; paragraphs become line breaks."""
    paragraphs = (" ".join(part.split()) for part in text.strip().split("\n\n"))
    return "<br>".join(part for part in paragraphs if part)


def _cell(text: str) -> str:
    # Within code a bar is no border, and a backslash before it would be seen.
    parts = text.replace("\n", " ").split("`")
    return "`".join(part if number % 2 else part.replace("|", "\\|") for number, part in enumerate(parts))
