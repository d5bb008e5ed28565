"""What the suite needs of an engine under test: a way to say what a container does that each engine can follow."""

import base64
import contextlib
import itertools
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import TracebackType
from typing import Protocol, Self

import pytest

from gofer.core.ids import AttemptId, InstanceId, NamespaceId, PipelineId, RunId, TaskId, TaskRunKey
from gofer.core.output import LogChunk, LogCursor, LogStream
from gofer.engines.protocols import ContainerHandle, ContainerSpec, ImageSpec, SchedulerEngine


def out(data: bytes) -> LogChunk:
    return LogChunk(stream=LogStream.STDOUT, data=data)


def err(data: bytes) -> LogChunk:
    return LogChunk(stream=LogStream.STDERR, data=data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What a container does: write, then run until it is stopped (`holds`) or end with a code.

    What holds has written all its output once the output is there, and is then ready for signals.
    """

    output: tuple[LogChunk, ...] = ()
    exit_code: int = 0
    holds: bool = False
    ignores_sigterm: bool = False


class Case(Protocol):
    """One engine under test."""

    name: str
    runs_commands: bool
    image: str  # what the containers run in; must hold a POSIX `sh` with the usual tools

    def make(self) -> SchedulerEngine:
        """Give a new adapter of the same backend, not entered."""
        ...

    def environment_for(self, behaviour: Behaviour) -> Mapping[str, str]:
        """Script the behaviour by the environment, for an engine that runs no commands."""
        ...


@dataclass(slots=True)
class EngineUnderTest:
    """An entered adapter, and specs for it. What was made is removed at the end."""

    case: Case
    instance: InstanceId = field(default_factory=lambda: InstanceId(f"test{uuid.uuid4().hex[:12]}"))
    engine: SchedulerEngine = field(init=False)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> Self:
        self.engine = await self._stack.enter_async_context(self.case.make())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        owned = [each.handle async for each in self.engine.owned(self.instance)]
        for handle in owned:
            await self.engine.remove(handle)
        await self._stack.aclose()

    async def restart(self) -> None:
        """Leave the adapter and go on with a new one, as after a restart of the server."""
        if not self.engine.capabilities.survives_restart:
            pytest.skip(f"containers of the {self.case.name} engine end with the server")
        await self._stack.aclose()
        self.engine = await self._stack.enter_async_context(self.case.make())

    def attempt(self, *, number: int = 1) -> AttemptId:
        """Name an attempt that nobody named before."""
        key = TaskRunKey(
            namespace=NamespaceId("conformance"),
            pipeline=PipelineId("pipeline"),
            run=RunId(next(self._numbers)),
            task=TaskId("task"),
        )
        return AttemptId(key=key, number=number, instance=self.instance)

    def spec(self, behaviour: Behaviour | None = None) -> ContainerSpec:
        """Describe a container that does that, on any engine."""
        behaviour = behaviour or Behaviour()
        if self.case.runs_commands:
            return self.shell(script_for(behaviour))
        return self._bare(environment=self.case.environment_for(behaviour))

    def shell(self, script: str, **environment: str) -> ContainerSpec:
        """Describe a container that runs a shell script; skips on an engine that runs nothing."""
        return self.command(entrypoint=("sh", "-c"), command=(script,), environment=environment)

    def command(
        self,
        *,
        entrypoint: tuple[str, ...] = (),
        command: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
    ) -> ContainerSpec:
        """Describe a container by its command line; skips on an engine that runs nothing."""
        if not self.case.runs_commands:
            pytest.skip(f"the {self.case.name} engine runs no commands")
        return replace(self._bare(environment=environment or {}), entrypoint=entrypoint, command=command)

    async def started(self, behaviour: Behaviour | ContainerSpec) -> ContainerHandle:
        """Create and start; give the handle."""
        spec = self.spec(behaviour) if isinstance(behaviour, Behaviour) else behaviour
        handle = await self.engine.create(spec)
        await self.engine.start(handle)
        return handle

    async def ready(self, behaviour: Behaviour | ContainerSpec, mark: bytes = b"ready\n") -> ContainerHandle:
        """Create, start, and wait until the container has written the mark."""
        handle = await self.started(behaviour)
        async with self.engine.logs(handle) as chunks:
            written = b""
            async for chunk in chunks:
                written += chunk.data
                if mark in written:
                    return handle
        raise AssertionError(f"{mark!r} never came, but {written!r}")

    async def output(self, handle: ContainerHandle, since: LogCursor | None = None) -> bytes:
        """Read all output to its end, both streams as they come."""
        async with self.engine.logs(handle, since=since) as chunks:
            return b"".join([chunk.data async for chunk in chunks])

    async def streams(self, handle: ContainerHandle) -> dict[LogStream, bytes]:
        """Read all output to its end, by stream."""
        found = {LogStream.STDOUT: b"", LogStream.STDERR: b""}
        async with self.engine.logs(handle) as chunks:
            async for chunk in chunks:
                found[chunk.stream] += chunk.data
        return found

    def _bare(self, *, environment: Mapping[str, str]) -> ContainerSpec:
        attempt = self.attempt()
        return ContainerSpec(
            attempt=attempt,
            name=f"{self.instance}_{attempt.key.run}",
            image=ImageSpec(name=self.case.image),
            environment=environment,
        )


NO_GRACE = timedelta()
HOLDING = Behaviour(output=(out(b"ready\n"),), holds=True)
STUBBORN = Behaviour(output=(out(b"ready\n"),), holds=True, ignores_sigterm=True)


def script_for(behaviour: Behaviour) -> str:
    """Write the behaviour as a POSIX shell script."""
    lines = ["trap '' TERM"] if behaviour.ignores_sigterm else []
    if not behaviour.holds:
        lines += [_write(chunk) for chunk in behaviour.output]
        lines.append(f"exit {behaviour.exit_code}")
    elif behaviour.ignores_sigterm:
        lines += [_write(chunk) for chunk in behaviour.output]
        lines.append("while :; do sleep 1; done")
    else:
        lines += [_write(chunk) for chunk in behaviour.output]
        lines.append("exec sleep 1000")
    return "\n".join(lines)


def _write(chunk: LogChunk) -> str:
    target = " >&2" if chunk.stream is LogStream.STDERR else ""
    return f"printf %s '{base64.b64encode(chunk.data).decode()}' | base64 -d{target}"


@contextlib.asynccontextmanager
async def under_test(case: Case) -> AsyncIterator[EngineUnderTest]:
    """Enter an adapter of the case, and clean up after it."""
    async with EngineUnderTest(case) as entered:
        yield entered
