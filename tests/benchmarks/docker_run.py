"""One task on Docker, from the call that starts the run to the event of its end, beside what Docker alone takes.

Usage: python -m tests.benchmarks.docker_run [--quick]
The client is this process, the server another. Each round makes one run of Gofer's and one container by hand, in
changing order: create, attach, start, read to the end, wait; with the same network and log driver, and nothing more of
what Gofer asks for (an init, limits). Removing is not counted: Gofer, too, removes after it has told of the end.
"""

import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

import aiodocker
from aiodocker.types import JSONObject

from gofer.config.settings import DockerSettings
from gofer.core.ids import AttemptId, InstanceId, NamespaceId, PipelineId, RunId, TaskId, TaskRunKey
from gofer.engines.protocols import ContainerSpec, ImageSpec
from gofer.engines.scheduler.docker_convert import create_body
from tests.benchmarks._by_hand import IMAGE, none_of_gofer, run_container
from tests.benchmarks._commits import MILLISECONDS, Commits
from tests.benchmarks._figures import Effort, Figure, Goal, percentile, run
from tests.benchmarks._runs import Follower, deploy, follower, task
from tests.benchmarks._server import gofer

ROUNDS: Final = 220
LEAST_ROUNDS: Final = 200
GIVE_UP_SECONDS: Final = 900
PIPELINE: Final = "docker_run"
COMMAND: Final = ("true",)
BY_HAND: Final = "a container by hand"


@dataclass(frozen=True, slots=True)
class Samples:
    """Milliseconds, one of each kind a round."""

    gofer: list[float] = field(default_factory=list)
    by_hand: list[float] = field(default_factory=list)
    commits: list[float] = field(default_factory=list)


def by_hand_body() -> JSONObject:
    """Give the body of a container with the network and the log driver that the docker engine asks for."""
    key = TaskRunKey(
        namespace=NamespaceId("default"), pipeline=PipelineId("by_hand"), run=RunId(1), task=TaskId("only")
    )
    spec = ContainerSpec(
        attempt=AttemptId(key=key, number=1, instance=InstanceId("benchmark")),
        name="by_hand",
        image=ImageSpec(name=IMAGE),
        command=COMMAND,
    )
    host = cast("JSONObject", create_body(spec, DockerSettings(), init=False)["HostConfig"])
    return {
        "Image": IMAGE,
        "Cmd": list(COMMAND),
        "HostConfig": {name: host[name] for name in ("NetworkMode", "LogConfig")},
    }


async def by_hand(docker: aiodocker.Docker, body: JSONObject) -> float:
    """Run a container to its end, then remove it; the milliseconds that it ran."""
    began = time.perf_counter()
    container = await docker.containers.create(body)
    try:
        await run_container(container)
        return (time.perf_counter() - began) * MILLISECONDS
    finally:
        await container.delete(force=True)


async def measure(effort: Effort) -> list[Figure]:
    """Make the rounds."""
    samples = Samples()
    with tempfile.TemporaryDirectory() as name, Commits(Path(name)) as commits:
        async with gofer(Path(name), "docker") as server, server.client() as client, follower(client) as runs:
            await deploy(client, PIPELINE, [task("only", command=COMMAND)])
            async with aiodocker.Docker() as docker:
                await _rounds(runs, docker, effort, samples=samples, commits=commits)
    return _figures(samples)


def _figures(samples: Samples) -> list[Figure]:
    commit = statistics.median(samples.commits)
    middle = statistics.median(samples.gofer) - statistics.median(samples.by_hand)
    slowest = percentile(samples.gofer, 0.95) - percentile(samples.by_hand, 0.95)
    return [
        Figure(
            what="one task on Docker, StartRun to RUN_COMPLETED at a follower",
            unit="ms",
            ours=samples.gofer,
            floor=samples.by_hand,
            floor_is=BY_HAND,
            predecessor="504 to 1,005 ms, median 1,005",
        ),
        Figure(
            what=f"the difference of the medians of {len(samples.gofer)} pairs",
            unit="ms",
            ours=[middle],
            floor=[commit],
            floor_is="1 commit",
            goal=Goal.at_most(8 + 4 * commit, "ms", middle, because="8 ms + 4 commits"),
        ),
        Figure(
            what="p95",
            unit="ms",
            ours=[percentile(samples.gofer, 0.95)],
            floor=[percentile(samples.by_hand, 0.95)],
            floor_is=BY_HAND,
        ),
        Figure(what="the difference of the p95s", unit="ms", ours=[slowest], goal=Goal.at_most(60, "ms", slowest)),
    ]


async def _rounds(
    runs: Follower, docker: aiodocker.Docker, effort: Effort, *, samples: Samples, commits: Commits
) -> None:
    body = by_hand_body()

    async def of_gofer() -> None:
        samples.gofer.append(await runs.seconds_of_run(PIPELINE) * MILLISECONDS)
        await none_of_gofer(docker, PIPELINE)

    async def of_hand() -> None:
        samples.by_hand.append(await by_hand(docker, body))

    arms: list[Callable[[], Awaitable[None]]] = [of_gofer, of_hand]
    await runs.seconds_of_run(PIPELINE)
    await by_hand(docker, body)
    for number in effort.rounds(ROUNDS, least=round(LEAST_ROUNDS * effort.share)):
        for arm in arms if number % 2 else arms[::-1]:
            await arm()
        samples.commits.append(await commits.milliseconds_of(1))


if __name__ == "__main__":
    run(measure, give_up_seconds=GIVE_UP_SECONDS)
