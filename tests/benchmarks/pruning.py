"""What calls take while the prune jobs work: on 1,000,000 events and 100,000 runs that are all due at once.

Usage: python -m tests.benchmarks.pruning [--quick]
The history is made by copying the rows of one run that a server has made; the oldest runs, which go first, have log
files. The floor is the same server on the same history of which nothing is due, measured before.
"""

import asyncio
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import betterproto2

from gofer_sdk._proto import proto
from gofer_sdk.codec import encode
from tests.benchmarks._figures import Effort, Figure, Goal, percentile, run
from tests.benchmarks._load import Loader, Order, loader
from tests.benchmarks._runs import deploy, follower, task
from tests.benchmarks._server import Hold, Process, gofer, holds
from tests.benchmarks.history import copy_rows

RUNS: Final = 100_000
EVENTS: Final = 1_000_000
SECONDS: Final = 1.0
ROUNDS: Final = 6
CALLERS: Final = 4
LONGEST_HOLD_MILLISECONDS: Final = 50
SHARE_OF_LOGS: Final = 0.2
GIVE_UP_SECONDS: Final = 590
A_YEAR_MILLISECONDS: Final = 365 * 24 * 3600 * 1000
CALLS: Final[Mapping[str, betterproto2.Message]] = {
    "GetRun": proto.GetRunRequest(pipeline_id="single", id=1),
    "ListRuns of 61": proto.ListRunsRequest(pipeline_id="single", limit=61),
    # Of a pipeline whose runs wait: a commit and an event each, and nothing that runs.
    "StartRun": proto.StartRunRequest(
        pipeline_id="waiting", initiator=proto.Initiator(type=proto.InitiatorType.BOT, name="bench")
    ),
}


async def make_base(folder: Path) -> None:
    """Have a server make one run with a log, and a pipeline whose runs wait."""
    async with gofer(folder, "memory") as server, server.client() as client, follower(client) as one:
        await deploy(client, "single", [task("only", variables={"GOFER_MEMORY_LOG": "a line"})])
        await one.seconds_of_run("single")
        held = proto.UserPipelineConfig(
            id="waiting", name="waiting", parallelism=1, tasks=[task("held", variables={"GOFER_MEMORY_HOLD": "true"})]
        )
        registered = await client.pipelines.register(held)
        await client.pipelines.deploy("waiting", registered.config.version)


def make_history(folder: Path, *, runs: int, events: int, due: bool) -> None:
    """Copy the rows of that run; all of them are due, or none is."""
    database = folder / "data" / "gofer.db"
    with sqlite3.connect(database) as connection:
        if due:
            connection.execute("UPDATE journal SET at = at - ?", (A_YEAR_MILLISECONDS,))
        else:
            connection.execute("UPDATE runs SET logs_expired = 1, objects_expired = 1")
    connection.close()
    copy_rows(database, runs=runs, events=events)
    if due:
        _write_logs(folder / "data" / "logs" / "default" / "single", round(runs * SHARE_OF_LOGS))


def _write_logs(logs: Path, count: int) -> None:
    for number in range(2, count + 2):
        (logs / str(number)).mkdir(mode=0o700)
        for name in ("only", "only.index"):
            (logs / str(number) / name).write_bytes(b"a line\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """How much is still due, and when that was looked at."""

    events: int
    runs_with_logs: int
    runs_with_objects: int
    at: float


def left_of(folder: Path) -> Left:
    """Look into the database."""
    half_a_year_ago = time.time() * 1000 - A_YEAR_MILLISECONDS / 2
    at = time.monotonic()
    with sqlite3.connect(f"file:{folder}/data/gofer.db?mode=ro", uri=True) as connection:
        found = connection.execute(
            "SELECT (SELECT count(*) FROM journal WHERE at < ?),"
            " (SELECT count(*) FROM runs INDEXED BY runs_with_logs WHERE logs_expired = 0),"
            " (SELECT count(*) FROM runs INDEXED BY runs_with_objects WHERE objects_expired = 0)",
            (half_a_year_ago,),
        ).fetchone()
    connection.close()
    return Left(events=found[0], runs_with_logs=found[1], runs_with_objects=found[2], at=at)


def order(server: Process, rpc: betterproto2.Message) -> Order:
    """Ask it a few times at once, and not as often as can be: what is looked for is waiting."""
    return Order(
        port=server.port,
        pid=server.process.pid,
        rpc=f"/proto.Gofer/{type(rpc).__name__.removesuffix('Request')}",
        request=encode(rpc).hex(),
        callers=CALLERS,
        seconds=SECONDS,
        pause=0.01,
    )


async def latencies(load: Loader, server: Process, effort: Effort) -> dict[str, list[list[float]]]:
    """Make each call for a while, in turns; the milliseconds of each round."""
    found: dict[str, list[list[float]]] = {name: [] for name in CALLS}
    for _ in effort.rounds(ROUNDS):
        for name, request in CALLS.items():
            done = await load.obey(order(server, request))
            found[name].append([value for each in done for value in each.latencies])
    return found


async def start_waiting(server: Process) -> None:
    """Have one run that holds up the others of its pipeline."""
    async with server.client() as client:
        await client.runs.start("waiting")


async def measure(effort: Effort) -> list[Figure]:
    """Measure the one server, then the other."""
    share = 1.0 if effort.share >= 1 else 0.1
    runs, events = round(RUNS * share), round(EVENTS * share)
    with tempfile.TemporaryDirectory() as name:
        due, kept = Path(name) / "due", Path(name) / "kept"
        due.mkdir()
        await make_base(due)
        await asyncio.to_thread(shutil.copytree, due, kept)
        for folder in (due, kept):
            await asyncio.to_thread(make_history, folder, runs=runs, events=events, due=folder is due)
        async with loader() as load:
            async with gofer(kept, "memory", GOFER_BENCH_HOLDS=str(kept / "holds")) as server:
                await start_waiting(server)
                floor = await latencies(load, server, effort)
            async with gofer(due, "memory", GOFER_BENCH_HOLDS=str(due / "holds")) as server:
                await start_waiting(server)
                before = await asyncio.to_thread(left_of, due)
                ours = await latencies(load, server, effort)
                after = await asyncio.to_thread(left_of, due)
        figures = [*_of_calls(ours, floor), *_of_writer(holds(due / "holds"), holds(kept / "holds"))]
    if min(after.events, after.runs_with_logs, after.runs_with_objects) < 1000:
        raise RuntimeError("the prune jobs were done before the calls were")
    return [*figures, *_of_work(before, after)]


def _of_work(before: Left, after: Left) -> list[Figure]:
    seconds = after.at - before.at
    return [
        Figure(what=f"{what} that go meanwhile", unit="/s", ours=[(had - has) / seconds])
        for what, had, has in (
            ("events", before.events, after.events),
            ("runs whose logs", before.runs_with_logs, after.runs_with_logs),
            ("runs whose objects", before.runs_with_objects, after.runs_with_objects),
        )
    ]


def _of_calls(ours: Mapping[str, list[list[float]]], floor: Mapping[str, list[list[float]]]) -> list[Figure]:
    return [
        Figure(
            what=f"{name}, {CALLERS} clients, {words}",
            unit="ms",
            ours=[percentile(each, share) for each in ours[name]],
            floor=[percentile(each, share) for each in floor[name]],
            floor_is="nothing is due",
        )
        for name in CALLS
        for words, share in (("median", 0.5), ("p99", 0.99))
    ]


def _of_writer(ours: list[Hold], floor: list[Hold]) -> list[Figure]:
    longest = max(each.milliseconds for each in ours)
    kept = "nothing is due"
    return [
        Figure(
            what="a change's hold of the writer, until the disk has it: median",
            unit="ms",
            ours=[statistics.median(each.milliseconds for each in ours)],
            floor=[statistics.median(each.milliseconds for each in floor)],
            floor_is=kept,
        ),
        Figure(
            what=f"the longest of {len(ours):,} holds",
            unit="ms",
            ours=[longest],
            floor=[max(each.milliseconds for each in floor)],
            floor_is=kept,
            goal=Goal.at_most(LONGEST_HOLD_MILLISECONDS, "ms", longest),
        ),
        Figure(
            what="the most processor time of one of them",
            unit="ms",
            ours=[max(each.cpu_milliseconds for each in ours)],
            floor=[max(each.cpu_milliseconds for each in floor)],
            floor_is=kept,
        ),
    ]


if __name__ == "__main__":
    run(measure, give_up_seconds=GIVE_UP_SECONDS)
