"""One task on Docker, from the call that starts the run to the event of its end, beside what Docker alone takes.

Usage: python -m tests.benchmarks.docker_run [--quick]
The client is this process, the server another. Each round makes one run of Gofer's and two containers by hand, in
changing order: create, attach, start, read to the end, wait; once as plain as Docker makes them, once made as Gofer
makes them (an init before the program, a log driver that keeps every byte, limits). Removing is timed apart, as Gofer,
too, removes after it has told of the end.
"""

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
from tests.benchmarks._figures import Effort, Figure, run
from tests.benchmarks._runs import Follower, deploy, follower, task
from tests.benchmarks._server import gofer

ROUNDS: Final = 110
LEAST_ROUNDS: Final = 100
PIPELINE: Final = "docker_run"
COMMAND: Final = ("true",)
MILLISECONDS: Final = 1000
PLAIN: Final[JSONObject] = {"Image": IMAGE, "Cmd": list(COMMAND)}


@dataclass(frozen=True, slots=True)
class Samples:
    """Milliseconds, one of each kind a round."""

    gofer: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)
    alike: list[float] = field(default_factory=list)
    removing: list[float] = field(default_factory=list)


def made_alike() -> JSONObject:
    """Give the body with which the docker engine makes the container of such a task."""
    key = TaskRunKey(
        namespace=NamespaceId("default"), pipeline=PipelineId("by_hand"), run=RunId(1), task=TaskId("only")
    )
    spec = ContainerSpec(
        attempt=AttemptId(key=key, number=1, instance=InstanceId("benchmark")),
        name="by_hand",
        image=ImageSpec(name=IMAGE),
        command=COMMAND,
    )
    return cast("JSONObject", create_body(spec, DockerSettings(), init=True))


async def by_hand(docker: aiodocker.Docker, body: JSONObject, removing: list[float]) -> float:
    """Run a container to its end, then remove it; the milliseconds that it ran."""
    began = time.perf_counter()
    container = await docker.containers.create(body)
    try:
        await run_container(container)
        took = (time.perf_counter() - began) * MILLISECONDS
    finally:
        began = time.perf_counter()
        await container.delete(force=True)
        removing.append((time.perf_counter() - began) * MILLISECONDS)
    return took


async def measure(effort: Effort) -> list[Figure]:
    """Make the rounds."""
    samples = Samples()
    with tempfile.TemporaryDirectory() as name:
        async with gofer(Path(name), "docker") as server, server.client() as client, follower(client) as runs:
            await deploy(client, PIPELINE, [task("only", command=COMMAND)])
            async with aiodocker.Docker() as docker:
                await _rounds(runs, docker, effort, samples)
    added = [ours - floor for ours, floor in zip(samples.gofer, samples.plain, strict=True)]
    beyond = [ours - floor for ours, floor in zip(samples.gofer, samples.alike, strict=True)]
    return [
        Figure(
            what="one task on Docker, StartRun to RUN_COMPLETED at a follower",
            unit="ms",
            ours=samples.gofer,
            floor=samples.plain,
            floor_is="a plain container by hand",
            predecessor="504 to 1,005 ms, median 1,005",
        ),
        Figure(
            what="the same, beside one made alike",
            unit="ms",
            ours=samples.gofer,
            floor=samples.alike,
            floor_is="made as Gofer makes it",
        ),
        Figure(
            what="what Gofer adds to the plain container", unit="ms", ours=added, floor_is="the rounds' differences"
        ),
        Figure(what="what Gofer adds to one made alike", unit="ms", ours=beyond, floor_is="the rounds' differences"),
        Figure(what="removing a container by hand", unit="ms", ours=samples.removing, floor_is="not part of the above"),
    ]


async def _rounds(runs: Follower, docker: aiodocker.Docker, effort: Effort, samples: Samples) -> None:
    alike = made_alike()

    async def of_gofer() -> None:
        samples.gofer.append(await runs.seconds_of_run(PIPELINE) * MILLISECONDS)
        await none_of_gofer(docker, PIPELINE)

    async def of_plain() -> None:
        samples.plain.append(await by_hand(docker, PLAIN, samples.removing))

    async def of_alike() -> None:
        samples.alike.append(await by_hand(docker, alike, samples.removing))

    arms: list[Callable[[], Awaitable[None]]] = [of_gofer, of_plain, of_alike]
    await runs.seconds_of_run(PIPELINE)
    await by_hand(docker, PLAIN, [])
    for number in effort.rounds(ROUNDS, least=round(LEAST_ROUNDS * effort.share)):
        for arm in (*arms[number % 3 :], *arms[: number % 3]):
            await arm()


if __name__ == "__main__":
    run(measure)
