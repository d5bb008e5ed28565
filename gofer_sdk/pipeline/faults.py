"""What is wrong with a pipeline, and on which line of its author's file."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

_PASSED_OVER: Final = ("gofer_sdk.pipeline.", "dataclasses.", "copy.")
"""Modules between an author's line and us; the latter two stand for `replace`."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A line of the author's file; lines count from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        """Write `file:line`, the file relative to the working folder where it lies below it."""
        path = Path(self.file)
        here = Path.cwd()
        return f"{path.relative_to(here) if path.is_relative_to(here) else path}:{self.line}"


def find_origin() -> Origin | None:
    """Return the line outside of this package that the code is called from, None where Python doesn't tell."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 (the one way to the caller's line that costs no traceback)
    while frame is not None:
        module = frame.f_globals.get("__name__")
        if not (isinstance(module, str) and f"{module}.".startswith(_PASSED_OVER)):
            return Origin(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineFault:
    """One fault in words, with the line where the task or pipeline was written, if it is known."""

    text: str
    origin: Origin | None = None

    def __str__(self) -> str:
        """Write `file:line: fault`."""
        return f"{self.origin}: {self.text}" if self.origin else self.text


class PipelineFaults(ValueError):
    """A pipeline can't be what its author wrote; `faults` lists all that is wrong with it."""

    def __init__(self, faults: Sequence[PipelineFault]) -> None:
        """Keep the faults, of which there is at least one."""
        self.faults = tuple(faults)
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        super().__init__("\n  ".join((f"the pipeline has {count}:", *map(str, self.faults))))
