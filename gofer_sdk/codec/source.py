"""Turn lines of Python into a function, as `dataclasses` does."""

from collections.abc import Callable, Iterable


def indented(lines: Iterable[str], levels: int = 1) -> list[str]:
    """Return the lines moved to the right, one space a level."""
    return [" " * levels + line for line in lines]


def compiled(lines: list[str], scope: dict[str, object], name: str) -> Callable[..., object]:
    """Return the function `run` that the lines define, with the scope as its globals; the name is for tracebacks."""
    # The lines are made of the field names of our own generated classes, never of input.
    exec(compile("\n".join(lines), f"<codec of {name}>", "exec"), scope)  # noqa: S102
    run = scope["run"]
    assert callable(run)  # noqa: S101 - every caller's first line is its def
    return run
