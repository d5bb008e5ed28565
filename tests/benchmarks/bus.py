"""How many events a second the bus carries to one, to ten and to a hundred readers.

Usage: python -m tests.benchmarks.bus [--quick]
The floor appends each event to as many queues and takes it out again, and wakes nobody.
"""

import asyncio
import time
from collections import deque
from typing import Final

from gofer.bus import Bus
from gofer.core.events import Envelope, RunStarted
from gofer.core.ids import EventId, NamespaceId, PipelineId, RunId
from tests.benchmarks._figures import Effort, Figure, run
from tests.factories import NOW

ROUNDS: Final = 9
DELIVERIES: Final = 100_000
COMMIT: Final = 16  # events that one commit publishes


def event(number: int) -> Envelope:
    """Give an event as commits publish them."""
    started = RunStarted(
        namespace_id=NamespaceId("default"),
        pipeline_id=PipelineId("simple"),
        run_id=RunId(number),
        initiator_type="HUMAN",
        initiator_name="bench",
    )
    return Envelope(id=EventId(number), at=NOW, event=started)


async def ours(commits: list[list[Envelope]], readers: int) -> float:
    """Give the deliveries a second through the bus, the readers' part included."""
    bus: Bus[Envelope] = Bus()
    total = sum(map(len, commits))

    async with asyncio.TaskGroup() as group:
        began = time.perf_counter()
        for number in range(readers):
            group.create_task(_read(bus, total), name=f"reader {number}")
        await asyncio.sleep(0)
        for commit in commits:
            bus.publish(commit)
            await asyncio.sleep(0)
    return total * readers / (time.perf_counter() - began)


async def _read(bus: Bus[Envelope], total: int) -> None:
    with bus.subscribe(RunStarted) as subscription:
        for _ in range(total):
            await anext(subscription)


def floor(commits: list[list[Envelope]], readers: int) -> float:
    """Give the deliveries a second through bare queues."""
    queues: list[deque[Envelope]] = [deque() for _ in range(readers)]
    began = time.perf_counter()
    for commit in commits:
        for envelope in commit:
            for queue in queues:
                queue.append(envelope)
        for queue in queues:
            while queue:
                queue.popleft()
    return sum(map(len, commits)) * readers / (time.perf_counter() - began)


async def measure(effort: Effort) -> list[Figure]:
    """Publish to ever more readers."""
    figures = []
    for readers in (1, 10, 100):
        count = DELIVERIES // readers // COMMIT
        commits = [[event(n * COMMIT + k + 1) for k in range(COMMIT)] for n in range(count)]
        pairs: tuple[list[float], list[float]] = ([], [])
        for _ in effort.rounds(ROUNDS):
            pairs[0].append(await ours(commits, readers))
            pairs[1].append(floor(commits, readers))
        what = f"events delivered in the process, {readers} reader{'s' if readers > 1 else ''}"
        figures.append(Figure(what=what, unit="/s", ours=pairs[0], floor=pairs[1], floor_is="bare queues"))
    return figures


if __name__ == "__main__":
    run(measure)
