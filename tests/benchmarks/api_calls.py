"""How many calls a second the API answers, and at what cost, beside a server that only gives the same bytes.

Usage: python -m tests.benchmarks.api_calls [--quick]
The clients are two other processes with a connection for each caller, and take turns with the two servers. They cost
about as much as the server, so on few cores its processor time for each call says more than calls a second.
"""

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import betterproto2

from gofer_sdk._proto import proto
from gofer_sdk.codec import encode
from tests.benchmarks._figures import Effort, Figure, Goal, percentile, run
from tests.benchmarks._load import Loader, Order, channel_to, loader, one_call
from tests.benchmarks._runs import deploy, follower, task
from tests.benchmarks._server import Process, gofer, started

ROUNDS: Final = 5
SECONDS: Final = 0.7
RUNS: Final = 61


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A call, and by how many it is made at once."""

    what: str
    request: betterproto2.Message
    callers: int
    predecessor: str = ""

    @property
    def rpc(self) -> str:
        """Give the name of the call."""
        return type(self.request).__name__.removesuffix("Request")

    def order(self, server: Process) -> Order:
        """Ask it of one server."""
        return Order(
            port=server.port,
            pid=server.process.pid,
            rpc=f"/proto.Gofer/{self.rpc}",
            request=encode(self.request).hex(),
            callers=self.callers,
            seconds=SECONDS,
        )


@dataclass(frozen=True, slots=True)
class Samples:
    """Of one server: calls a second, its processor time a call in microseconds, the 99th of 100 latencies."""

    rates: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    slowest: list[float] = field(default_factory=list)


CALLERS: Final = (1, 16, 64)
LEAST_SHARE: Final = 0.8
REQUESTS: Final[dict[str, betterproto2.Message]] = {
    "GetSystemInfo": proto.GetSystemInfoRequest(),
    "GetPipeline": proto.GetPipelineRequest(id="wide"),
    f"ListRuns of {RUNS}": proto.ListRunsRequest(pipeline_id="listed", limit=RUNS),
}
PREDECESSOR: Final = {
    ("GetSystemInfo", 1): "2,400/s",
    ("GetSystemInfo", 16): "6,400 to 7,500/s",
    ("GetSystemInfo", 64): "8,300 to 9,300/s",
    ("GetPipeline", 1): "1,000/s",
    ("GetPipeline", 16): "2,500/s",
    ("GetPipeline", 64): "2,700/s",
    (f"ListRuns of {RUNS}", 16): "940/s",
}
CASES: Final = tuple(
    Case(
        what=f"{what}, {callers} client{'s' if callers > 1 else ''}",
        request=request,
        callers=callers,
        predecessor=PREDECESSOR.get((what, callers), ""),
    )
    for what, request in REQUESTS.items()
    for callers in CALLERS
)


async def prepare(server: Process) -> None:
    """Have a pipeline of about 1 KB, and one with as many runs as are listed."""
    wide = [
        task(f"task_{n}", parents=[f"task_{n - 1}"] if n else [], command=["sh", "-c", "echo a line to be logged"])
        for n in range(8)
    ]
    async with server.client() as client, follower(client) as runs:
        await deploy(client, "wide", wide)
        await deploy(client, "listed", [task("only")])
        for _ in range(RUNS):
            await runs.seconds_of_run("listed")


async def keep_replies(server: Process, folder: Path) -> None:
    """Write what Gofer answers, for the other server to answer the same."""
    channel = channel_to(server.port)
    try:
        for case in CASES:
            order = case.order(server)
            (folder / case.rpc).write_bytes(await one_call(channel, order.rpc, bytes.fromhex(order.request)))
    finally:
        channel.close()


async def sample(load: Loader, server: Process, case: Case, samples: Samples) -> None:
    """Load one server for a while."""
    done = await load.obey(case.order(server))
    calls = sum(each.calls for each in done)
    samples.costs.append(max(each.cpu_seconds for each in done) / calls * 1e6)
    samples.rates.append(sum(each.calls / each.seconds for each in done))
    samples.slowest.append(percentile([value for each in done for value in each.latencies], 0.99))


async def measure(effort: Effort) -> list[Figure]:
    """Load both servers in turns, case by case."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with gofer(folder, "memory") as server, loader() as load:
            await prepare(server)
            await keep_replies(server, folder)
            constant = started("tests.benchmarks._floor_server", name)
            async with constant as floor:
                found = [await _pairs(load, (server, floor), case, effort) for case in CASES]
    return [figure for each in found for figure in each]


async def _pairs(load: Loader, servers: tuple[Process, Process], case: Case, effort: Effort) -> list[Figure]:
    samples = (Samples(), Samples())
    for number in effort.rounds(ROUNDS):
        for which in (0, 1) if number % 2 else (1, 0):
            await sample(load, servers[which], case, samples[which])
    ours, floor = samples
    constant = "constant bytes"
    rates = Figure(
        what=case.what, unit="/s", ours=ours.rates, floor=floor.rates, floor_is=constant, predecessor=case.predecessor
    )
    return [
        replace(rates, goal=Goal.at_least(LEAST_SHARE, "of the floor", rates.ratio or 0.0)),
        Figure(
            what=f"{case.what}: server CPU a call", unit="µs", ours=ours.costs, floor=floor.costs, floor_is=constant
        ),
        Figure(what=f"{case.what}: p99", unit="ms", ours=ours.slowest, floor=floor.slowest, floor_is=constant),
    ]


if __name__ == "__main__":
    run(measure)
