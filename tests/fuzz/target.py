"""What a target is: a check that takes any bytes, and what a fuzzer should know to begin well."""

import importlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

NAMES: Final = ("codec", "config", "interpolation", "masking", "log_lines", "frames", "arguments")
"""The targets, each a module of `tests.fuzz.targets` with a `TARGET`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One kind of input.

    Attributes:
        check: raises where these bytes break what is promised.
        seeds: some inputs that get far.
        words: what stands in such inputs; the fuzzer puts them together.
        max_bytes: longer inputs are not tried.
        generated: functions of the product that are in no module.
        prepare: done once, before the first check, in a process that does nothing else.

    """

    check: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    words: tuple[str, ...] = ()
    max_bytes: int = 4096
    generated: Callable[[], Iterable[Callable[..., object]]] = tuple
    prepare: Callable[[], None] = lambda: None


def load(name: str) -> Target:
    """Give a target by its name."""
    target: object = importlib.import_module(f"tests.fuzz.targets.{name}").TARGET
    assert isinstance(target, Target)
    return target


def cut(data: bytes, sizes: bytes) -> list[bytes]:
    """Cut data into pieces of these sizes, again and again; without sizes it stays whole."""
    if not any(sizes):
        return [data]
    pieces, at = [], 0
    while at < len(data):
        for size in sizes:
            pieces.append(data[at : at + size])
            at += size
    return pieces


def every_cut(data: bytes, sizes: bytes, *, at_most: int = 24) -> Iterator[list[bytes]]:
    """Give data whole, cut by these sizes, into single bytes, and, where it is short, in two at every place."""
    yield [data]
    if any(sizes):
        yield cut(data, sizes)
    yield [data[start:end] for start, end in pairwise(range(len(data) + 1))]
    if len(data) <= at_most:
        for place in range(1, len(data)):
            yield [data[:place], data[place:]]
