"""What masking costs: how fast a log is taken with secrets to look for, beside the same log without any.

Usage: python -m tests.benchmarks.masking [--quick]
Chunks of 16 KiB and of one line go through to a file, as those of a task do. The floor is the same without secrets.
"""

import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from gofer.core.ids import NamespaceId, PipelineId, RunId, TaskId, TaskRunKey
from gofer.core.output import LogChunk, LogStream
from gofer.core.secret import Secret
from gofer.logs import LogStore
from gofer.logs.masked import MaskedLog
from tests.benchmarks._figures import Effort, Figure, run

ROUNDS: Final = 9
LINE: Final = b"2026-11-22T10:00:00Z INFO some words that a program writes\n"
BLOCK: Final = LINE * (16_384 // len(LINE))
BLOCKS: Final = 512
LINES: Final = 8_192
FEW: Final = tuple(Secret(f"secret-number-{number}-of-a-task") for number in range(3))
MANY: Final = tuple(Secret(f"secret-number-{number}-of-a-task") for number in range(30))
MIB: Final = 1024 * 1024
KEY: Final = TaskRunKey(
    namespace=NamespaceId("default"), pipeline=PipelineId("masking"), run=RunId(1), task=TaskId("only")
)


async def rate(store: LogStore, chunk: bytes, count: int, secrets: tuple[Secret, ...]) -> float:
    """Write a log of so many chunks, and give how many MiB a second it took."""
    output = LogChunk(stream=LogStream.STDOUT, data=chunk)
    began = time.perf_counter()
    async with store.writer(KEY) as writer:
        log = MaskedLog(writer, secrets)
        for _ in range(count):
            await log.append(output)
        await log.finish()
    seconds = time.perf_counter() - began
    await store.delete(KEY)
    return count * len(chunk) / MIB / seconds


async def compare(
    store: LogStore, what: str, *, chunk: bytes, count: int, secrets: Sequence[Secret], rounds: Iterable[int]
) -> Figure:
    """Take a log with and without secrets, pair by pair, each first in every other pair."""
    ours: list[float] = []
    floor: list[float] = []
    for turn in rounds:
        for masked in (True, False) if turn % 2 else (False, True):
            (ours if masked else floor).append(await rate(store, chunk, count, tuple(secrets) if masked else ()))
    return Figure(what=f"log taken, {what}", unit="MiB/s", ours=ours, floor=floor, floor_is="without secrets")


async def measure(effort: Effort) -> list[Figure]:
    """Take each kind of log."""
    figures = []
    with tempfile.TemporaryDirectory() as name:
        Path(name, "logs").mkdir(mode=0o700)
        store = LogStore(Path(name, "logs"))
        for what, chunk, count, secrets in (
            ("blocks of 16 KiB, 3 secrets", BLOCK, BLOCKS, FEW),
            ("blocks of 16 KiB, 30 secrets", BLOCK, BLOCKS, MANY),
            ("a line at a time, 3 secrets", LINE, LINES, FEW),
        ):
            rounds = effort.rounds(ROUNDS)
            figures.append(await compare(store, what, chunk=chunk, count=count, secrets=secrets, rounds=rounds))
    return figures


if __name__ == "__main__":
    run(measure)
