"""What the tests of the process engine share."""

import itertools
from collections.abc import Mapping
from pathlib import Path

from gofer.core.ids import AttemptId, InstanceId, NamespaceId, PipelineId, RunId, TaskId, TaskRunKey
from gofer.engines.protocols import ContainerHandle, ContainerSpec, ImageSpec
from gofer.engines.scheduler.process import ProcessEngine

PATH = "/usr/local/bin:/usr/bin:/bin"
HERE = InstanceId("here")
_runs = itertools.count(1)


def attempt(run: int | None = None) -> AttemptId:
    key = TaskRunKey(
        namespace=NamespaceId("default"),
        pipeline=PipelineId("pipe"),
        run=RunId(next(_runs) if run is None else run),
        task=TaskId("task"),
    )
    return AttemptId(key=key, number=1, instance=HERE)


def spec_of(*argv: str, environment: Mapping[str, str] | None = None, of: AttemptId | None = None) -> ContainerSpec:
    return ContainerSpec(
        attempt=of or attempt(),
        name="default_pipe_1_task",
        image=ImageSpec(name="ignored"),
        entrypoint=argv,
        environment=environment or {},
        labels={"gofer.run": "1"},
    )


def shell(script: str, **environment: str) -> ContainerSpec:
    return spec_of("sh", "-c", script, environment=environment)


def engine_in(folder: Path) -> ProcessEngine:
    return ProcessEngine(folder=folder, path=PATH)


async def started(engine: ProcessEngine, spec: ContainerSpec) -> ContainerHandle:
    handle = await engine.create(spec)
    await engine.start(handle)
    return handle


async def output(engine: ProcessEngine, handle: ContainerHandle) -> bytes:
    async with engine.logs(handle) as chunks:
        return b"".join([chunk.data async for chunk in chunks])


async def run(engine: ProcessEngine, spec: ContainerSpec) -> bytes:
    """Run to the end; give the output and leave the folder."""
    return await output(engine, await started(engine, spec))


async def first_line(engine: ProcessEngine, handle: ContainerHandle) -> bytes:
    """Wait for the first line of the output."""
    read = b""
    async with engine.logs(handle) as chunks:
        async for chunk in chunks:
            read += chunk.data
            if b"\n" in read:
                break
    return read.partition(b"\n")[0]
