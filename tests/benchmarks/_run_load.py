"""Clients that start runs, each waiting for the end of its run before it starts the next: a process of its own.

python -m tests.benchmarks._run_load PORT PIPELINE CLIENTS SECONDS

Each client has a connection of its own; the ends come by one stream of events. Prints the runs as JSON: number, and
when the call began, its reply came, and the event of the end came, by the clock that all processes share.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from grpclib.client import Channel
from grpclib.const import Cardinality

from gofer_sdk._proto import proto
from gofer_sdk.codec import decode, encode
from tests.benchmarks._load import channel_to, one_call
from tests.benchmarks._server import ROOT, Process

START: Final = "/proto.Gofer/StartRun"
EVENTS: Final = "/proto.Gofer/ListEvents"
NAMESPACE: Final = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class DoneRun:
    """One run: its number, and moments in seconds."""

    number: int
    asked_at: float
    answered_at: float
    ended_at: float


@dataclass(slots=True)
class Ends:
    """The ends of runs by their numbers, whoever comes first: the event or who waits for it."""

    moments: dict[int, float] = field(default_factory=dict)
    waiting: dict[int, asyncio.Event] = field(default_factory=dict)
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    async def follow(self, channel: Channel, pipeline: str) -> None:
        """Hear of the ends until cancelled."""
        request = encode(
            proto.ListEventsRequest(follow=True, kinds=["RUN_COMPLETED"], namespace_id=NAMESPACE, pipeline_id=pipeline)
        )
        async with channel.request(EVENTS, Cardinality.UNARY_STREAM, bytes, bytes) as stream:
            await stream.send_message(request, end=True)
            while (answer := await stream.recv_message()) is not None:
                event = decode(proto.ListEventsResponse, answer).event
                self._ended(json.loads(event.details) if event else {}, time.monotonic())

    async def of(self, number: int) -> float:
        """Wait for the end of a run; when it was."""
        if number not in self.moments:
            waiting = self.waiting[number] = asyncio.Event()
            await waiting.wait()
        return self.moments.pop(number)

    def _ended(self, details: dict[str, object], at: float) -> None:
        if details["status"] != "SUCCESSFUL":
            message = f"the run did not succeed: {details}"
            raise RuntimeError(message)
        number = int(str(details["run_id"]))
        self.moments[number] = at
        self.ready.set()
        if number in self.waiting:
            self.waiting.pop(number).set()


async def drive(port: int, pipeline: str, clients: int, seconds: float) -> list[DoneRun]:
    """Start runs for so many seconds; those that have ended."""
    channels = [channel_to(port) for _ in range(clients + 1)]
    ends = Ends()
    try:
        async with asyncio.TaskGroup() as group:
            following = group.create_task(ends.follow(channels[0], pipeline), name="ends")
            await _first_run(channels[0], pipeline, ends)
            done = await _all_clients(channels[1:], pipeline, ends, time.monotonic() + seconds)
            following.cancel()
    finally:
        for channel in channels:
            channel.close()
    return done


async def _all_clients(channels: Sequence[Channel], pipeline: str, ends: Ends, until: float) -> list[DoneRun]:
    done: list[DoneRun] = []
    async with asyncio.TaskGroup() as group:
        for number, channel in enumerate(channels):
            group.create_task(_client(channel, pipeline, ends, until, done), name=f"client {number}")
    return done


async def _first_run(channel: Channel, pipeline: str, ends: Ends) -> None:
    await ends.of(await _started(channel, pipeline))


async def _client(channel: Channel, pipeline: str, ends: Ends, until: float, done: list[DoneRun]) -> None:
    while (asked_at := time.monotonic()) < until:
        number = await _started(channel, pipeline)
        answered_at = time.monotonic()
        ended_at = await ends.of(number)
        done.append(DoneRun(number=number, asked_at=asked_at, answered_at=answered_at, ended_at=ended_at))


async def _started(channel: Channel, pipeline: str) -> int:
    initiator = proto.Initiator(type=proto.InitiatorType.HUMAN, name="bench")
    request = proto.StartRunRequest(namespace_id=NAMESPACE, pipeline_id=pipeline, initiator=initiator)
    answer = decode(proto.StartRunResponse, await one_call(channel, START, encode(request)))
    assert answer.run is not None
    return answer.run.id


async def runs_of(server: Process, pipeline: str, *, clients: int, seconds: float) -> list[DoneRun]:
    """Let such a process work on a server; the runs that ended, in the order of their ends."""
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.benchmarks._run_load", str(server.port), pipeline, str(clients), str(seconds)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await program.communicate()
    found = [DoneRun(number=n, asked_at=a, answered_at=b, ended_at=c) for n, a, b, c in json.loads(said)]
    return sorted(found, key=lambda each: each.ended_at)


def main() -> None:
    """Drive, and print."""
    port, pipeline, clients, seconds = sys.argv[1:]
    done = asyncio.run(drive(int(port), pipeline, int(clients), float(seconds)))
    rows = [(each.number, each.asked_at, each.answered_at, each.ended_at) for each in done]
    sys.stdout.write(json.dumps(rows))


if __name__ == "__main__":
    main()
