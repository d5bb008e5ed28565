"""Attempts, specs, and a caller that behaves as the contract of engines says."""

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gofer.config.settings import DockerSettings
from gofer.core.errors import EngineUnavailable
from gofer.core.ids import AttemptId, InstanceId, NamespaceId, PipelineId, RunId, TaskId, TaskRunKey
from gofer.core.output import LogCursor, LogStream
from gofer.engines.protocols import ContainerHandle, ContainerSpec, ContainerState, ExitResult, ImageSpec
from gofer.engines.scheduler.docker import DockerEngine, create
from gofer.engines.scheduler.docker_client import DockerClient, Endpoint
from tests.fakes.docker_cutter import docker_socket

IMAGE = "gofer-test/busybox:1"
QUICK = DockerSettings(network="none")


@dataclass(slots=True)
class Attempts:
    """Makes specs of one instance, which nobody else has."""

    instance: InstanceId = field(default_factory=lambda: InstanceId(f"test{uuid.uuid4().hex[:12]}"))
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def shell(self, script: str, **environment: str) -> ContainerSpec:
        return self.spec(entrypoint=("sh", "-c"), command=(script,), environment=environment)

    def spec(
        self,
        *,
        entrypoint: tuple[str, ...] = (),
        command: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
        image: str = IMAGE,
    ) -> ContainerSpec:
        run = next(self._numbers)
        key = TaskRunKey(namespace=NamespaceId("ns"), pipeline=PipelineId("pipe"), run=RunId(run), task=TaskId("task"))
        return ContainerSpec(
            attempt=AttemptId(key=key, number=1, instance=self.instance),
            name=f"{self.instance}_{run}",
            image=ImageSpec(name=image),
            entrypoint=entrypoint,
            command=command,
            environment=environment or {},
        )


@asynccontextmanager
async def docker_engine(attempts: Attempts, settings: DockerSettings = QUICK) -> AsyncIterator[DockerEngine]:
    """Enter an engine; what was made is removed at the end."""
    async with create(settings) as engine:
        try:
            yield engine
        finally:
            for each in [owned async for owned in engine.owned(attempts.instance)]:
                await engine.remove(each.handle)


@asynccontextmanager
async def raw_docker() -> AsyncIterator[DockerClient]:
    """Ask the daemon itself."""
    client = await DockerClient.connect(Endpoint(url=f"unix://{docker_socket()}"))
    try:
        yield client
    finally:
        await client.close()


@dataclass(slots=True)
class Outcome:
    """What a caller got of an attempt, and how often the engine was out of reach."""

    result: ExitResult | None = None
    out: bytes = b""
    err: bytes = b""
    tries: int = 0

    @property
    def cursor(self) -> LogCursor:
        return LogCursor(stdout_bytes=len(self.out), stderr_bytes=len(self.err))

    @property
    def exit_code(self) -> int | None:
        return None if self.result is None else self.result.exit_code


async def supervise(engine: DockerEngine, spec: ContainerSpec) -> Outcome:
    """Bring an attempt to its end, beginning again with `find` whenever the engine is out of reach."""
    outcome = Outcome()
    handle: ContainerHandle | None = None
    while True:
        outcome.tries += 1
        try:
            if handle is None:
                handle, outcome.result = await _follow(engine, spec, outcome)
            await engine.remove(handle)
        except EngineUnavailable:
            await asyncio.sleep(0.02)
        else:
            return outcome


async def _follow(engine: DockerEngine, spec: ContainerSpec, outcome: Outcome) -> tuple[ContainerHandle, ExitResult]:
    found = await engine.find(spec.attempt)
    if found is None:
        await engine.ensure_image(spec.image, progress=lambda _: None)
        handle = await engine.create(spec)
    else:
        handle = found.handle
    async with engine.logs(handle, since=outcome.cursor) as chunks:
        if found is None or found.status.state is ContainerState.CREATED:
            await engine.start(handle)
        async for chunk in chunks:
            if chunk.stream is LogStream.STDOUT:
                outcome.out += chunk.data
            else:
                outcome.err += chunk.data
    return handle, await engine.wait(handle)
