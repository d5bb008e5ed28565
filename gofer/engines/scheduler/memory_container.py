"""One container of the memory engine: its state, its output, and who waits for either."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import datetime, timedelta

from gofer.core.output import LogChunk, LogCursor, LogStream
from gofer.engines.protocols import ContainerHandle, ContainerSpec, ContainerState, ContainerStatus
from gofer.engines.scheduler.memory_script import MemoryScript


class MemoryContainer:
    """Changed by the engine alone; every change wakes those who wait in `change`."""

    def __init__(self, handle: ContainerHandle, spec: ContainerSpec, script: MemoryScript) -> None:
        self.handle = handle
        self.spec = spec
        self.script = script
        self.due: timedelta | None = None  # when it ends by itself, by the clock's monotonic time
        self._output: list[LogChunk] = []
        self._started_at: datetime | None = None
        self._ended_at: datetime | None = None
        self._exit_code: int | None = None
        self._changed = asyncio.Event()

    @property
    def state(self) -> ContainerState:
        """Where its life stands."""
        if self._exit_code is not None:
            return ContainerState.EXITED
        return ContainerState.CREATED if self._started_at is None else ContainerState.RUNNING

    @property
    def status(self) -> ContainerStatus:
        """State, exit code and times."""
        return ContainerStatus(
            state=self.state, exit_code=self._exit_code, started_at=self._started_at, ended_at=self._ended_at
        )

    def start(self, *, at: datetime) -> None:
        """Run, and write what the script says at once."""
        self._started_at = at
        self._output.extend(self.script.output)
        self.wake()

    def write(self, chunk: LogChunk) -> None:
        """Add output."""
        self._output.append(chunk)
        self.wake()

    def end(self, exit_code: int, *, at: datetime) -> None:
        """End with a code; nothing changes where it has ended."""
        if self._exit_code is None:
            self._exit_code, self._ended_at = exit_code, at
            self.wake()

    def wake(self) -> None:
        """Let everybody who waits look again."""
        waiting, self._changed = self._changed, asyncio.Event()
        waiting.set()

    async def change(self) -> None:
        """Wait for the next change."""
        await self._changed.wait()

    async def follow(self, since: LogCursor, check: Callable[[], object]) -> AsyncGenerator[LogChunk, None]:
        """Give the output after the cursor to its end; `check` may raise while it has not ended."""
        skip = {LogStream.STDOUT: since.stdout_bytes, LogStream.STDERR: since.stderr_bytes}
        given = 0
        while True:
            if self.state is not ContainerState.EXITED:
                check()
            while given < len(self._output):
                chunk = self._output[given]
                given += 1
                skipped = min(skip[chunk.stream], len(chunk.data))
                skip[chunk.stream] -= skipped
                if skipped < len(chunk.data):
                    yield LogChunk(stream=chunk.stream, data=chunk.data[skipped:])
            if self.state is ContainerState.EXITED:
                return
            await self.change()
