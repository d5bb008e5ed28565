"""One target: fuzzed in a process of its own, or checked with the files that are given.

    python -m tests.fuzz.one TARGET --repeat FILE...    needs no fuzzer, and shows where it fails
    python -m tests.fuzz.one TARGET [libFuzzer's own options and folders]

What a check raises ends the process; libFuzzer keeps the input.
"""

import importlib
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, Protocol, cast

from tests.fuzz.target import load

PACKAGES: Final = ("gofer", "gofer_sdk")


class Atheris(Protocol):
    """What we use of atheris, which is installed for this alone and tells nothing of its types."""

    def instrument_imports(self, include: Sequence[str]) -> AbstractContextManager[object]:
        """Have all modules of these packages watched that are imported within."""
        ...

    def instrument_func(self, func: Callable[..., object]) -> object:
        """Have a function watched."""
        ...

    def Setup(self, argv: Sequence[str], check: Callable[[bytes], None]) -> object:  # noqa: N802
        """Read libFuzzer's options."""
        ...

    def Fuzz(self) -> None:  # noqa: N802
        """Go on until the time is over or something is found; ends the process."""
        ...


def fuzz(name: str, options: Sequence[str]) -> None:
    """Fuzz a target, its coverage seen in our own packages alone; does not return."""
    atheris = cast("Atheris", importlib.import_module("atheris"))
    with atheris.instrument_imports(include=PACKAGES):
        target = load(name)
        for function in target.generated():
            atheris.instrument_func(function)
        target.prepare()
        atheris.Setup([f"fuzz {name}", *options], target.check)
        atheris.Fuzz()


def repeat(name: str, files: Sequence[str]) -> None:
    """Check the contents of these files."""
    contents = [Path(file).read_bytes() for file in files]
    target = load(name)
    target.prepare()
    for content in contents:
        target.check(content)


if __name__ == "__main__":
    if sys.argv[2:3] == ["--repeat"]:
        repeat(sys.argv[1], sys.argv[3:])
    else:
        fuzz(sys.argv[1], sys.argv[2:])
