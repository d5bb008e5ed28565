"""A container's output, from two sources, without a byte lost or doubled.

While Gofer runs, the output comes from `attach`, opened before the start: quick and exact. After a restart it comes
from the daemon's own log, read from its beginning and skipped up to what the caller has.

Neither says reliably that it is whole. An attached stream that was cut looks like one that ended; a followed log may
end without its last words (Docker 20.10 does so where no newline ends them). So the end is believed only when the
container has ended, and when the log that it left ends in the same bytes; whatever is missing is given from there.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from datetime import timedelta
from typing import Final

import structlog

from gofer.core.errors import EngineUnavailable, GoferError, NotFound
from gofer.core.output import LogChunk, LogCursor, LogStream
from gofer.engines.protocols import ContainerHandle, ContainerState, ContainerStatus
from gofer.engines.scheduler.docker_client import ByteStream, Conflict, DockerClient
from gofer.engines.scheduler.docker_frames import FrameCutter, LogDecoder
from gofer.lifecycle import owned_tasks

_log = structlog.get_logger(__name__)

_BOTH: Final = {"stdout": "1", "stderr": "1"}
_ENDS_WITHIN: Final = timedelta(seconds=2)  # from the end of the output to the end of the container
_QUIET_LIVE: Final = timedelta(seconds=30)  # a silent stream: after that long, look whether the container has ended
_QUIET_LOG: Final = timedelta(seconds=5)
_SHORT_BYTES: Final = 16 * 1024  # up to that much is read again whole, to be sure; of more, only the end
_AHEAD_BYTES: Final = 256 * 1024
_TAIL_ENTRIES: Final = 50
_TAIL_BYTES: Final = 64 * 1024


class Output:
    """One opened reading of a container's output.

    Attributes:
        end: how the container ended, once all its output was given.

    """

    def __init__(
        self,
        client: DockerClient,
        handle: ContainerHandle,
        *,
        status: Callable[[ContainerHandle], Awaitable[ContainerStatus]],
        since: LogCursor,
    ) -> None:
        """Give what comes after `since`; `status` tells of a container what `inspect` would."""
        self._client = client
        self._handle = handle
        self._status = status
        self._given = {LogStream.STDOUT: since.stdout_bytes, LogStream.STDERR: since.stderr_bytes}
        self._tails = {LogStream.STDOUT: b"", LogStream.STDERR: b""}
        self._guess: set[LogStream] = set()  # streams whose latest bytes came from the daemon's log
        self._readable = True
        self._ahead: list[bytes] | None = None  # the daemon's log of a container that has ended
        self._reading: asyncio.Timeout | None = None
        self._look_now = False
        self.end: ContainerStatus | None = None

    @property
    def handle(self) -> ContainerHandle:
        """The container whose output this is."""
        return self._handle

    def look(self) -> None:
        """Have a look at the container, now or before the next wait, as if its stream had been silent for long."""
        self._look_now = True
        if self._reading is not None and not self._reading.expired():
            self._reading.reschedule(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def opened(self, *, unstarted: bool) -> AsyncIterator[AsyncIterator[LogChunk]]:
        """Open the stream; all is let go when the block is left. `unstarted`: surely nothing has been written yet."""
        async with AsyncExitStack() as stack:
            live: ByteStream | None = None
            if unstarted:
                path, params = f"containers/{self._handle}/attach", {"stream": "1", **_BOTH}
                live = await stack.enter_async_context(self._client.stream("POST", path, params=params))
            status = None if unstarted else await self._status(self._handle)
            yield await stack.enter_async_context(aclosing(self._chunks(live, status)))

    async def _chunks(self, live: ByteStream | None, status: ContainerStatus | None) -> AsyncGenerator[LogChunk, None]:
        source = self._followed() if live is None else self._live(live)
        while status is None or status.state is not ContainerState.EXITED:
            async with aclosing(source) as chunks:
                async for chunk in chunks:
                    yield chunk
            status = await self._soon()
            source = self._followed()
        if not await self._is_whole():
            async with aclosing(self._logged()) as chunks:
                async for chunk in chunks:
                    yield chunk
        self.end = status

    async def _live(self, live: ByteStream) -> AsyncGenerator[LogChunk, None]:
        cutter = FrameCutter()
        while data := await self._read(live, quiet=_QUIET_LIVE):
            for chunk in cutter.feed(data):
                self._note(chunk)
                yield chunk

    async def _followed(self) -> AsyncGenerator[LogChunk, None]:
        """Follow the daemon's log, from where the caller is, for as long as that goes well."""
        if self._readable:
            async with aclosing(self._logged(follow=True)) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def _logged(self, *, follow: bool = False) -> AsyncGenerator[LogChunk, None]:
        """Give what the daemon's log has beyond what was given."""
        decoder = LogDecoder()
        seen = dict.fromkeys(LogStream, 0)
        async with aclosing(self._log_as_it_comes(follow=follow)) as reads:
            async for data in reads:
                for chunk in self._beyond(decoder.feed(data), seen):
                    yield chunk
                if decoder.failure:
                    break
        if decoder.failure:
            self._readable = False
            _log.warning("Docker can't read its log of a container", container=self._handle, error=decoder.failure)
        elif not follow:
            # Nearly every line ends, and these were not seen while they were live.
            for stream in sorted(decoder.uncertain() & self._guess):
                if seen[stream] == self._given[stream]:
                    yield self._from_log(stream, b"\n")

    async def _log_as_it_comes(self, *, follow: bool) -> AsyncGenerator[bytes, None]:
        ahead, self._ahead = self._ahead, None
        if ahead is not None and not follow:
            for data in ahead:
                yield data
            return
        try:
            async with self._log(follow="1" if follow else "0") as log:
                while data := await self._read(log, quiet=_QUIET_LOG):
                    yield data
        except (NotFound, Conflict):
            await self._status(self._handle)  # raises, unless it is known that there is nothing to read any more

    def _beyond(self, chunks: Iterable[LogChunk], seen: dict[LogStream, int]) -> Iterator[LogChunk]:
        """Give what of the log's next chunks was not given yet; `seen` counts them all."""
        for chunk in chunks:
            skip = max(0, self._given[chunk.stream] - seen[chunk.stream])
            seen[chunk.stream] += len(chunk.data)
            if skip < len(chunk.data):
                yield self._from_log(chunk.stream, chunk.data[skip:])

    def _log(self, **params: str) -> AbstractAsyncContextManager[ByteStream]:
        path = f"containers/{self._handle}/logs"
        return self._client.stream("GET", path, params={"timestamps": "1", **_BOTH, **params})

    async def _read(self, stream: ByteStream, *, quiet: timedelta) -> bytes:
        """Read; an empty answer at the end, also at the end of a container whose stream stays open."""
        while True:
            limit = timedelta() if self._look_now else quiet
            try:
                async with asyncio.timeout(limit.total_seconds()) as self._reading:
                    return await stream.read()
            except TimeoutError:
                self._look_now = False
                if (await self._status(self._handle)).state is ContainerState.EXITED:
                    return b""
            finally:
                self._reading = None

    async def _soon(self) -> ContainerStatus:
        """Give the status once the container has ended, or after a while. Without a log to read, wait for the end."""
        has_ended = False
        try:
            async with asyncio.timeout(_ENDS_WITHIN.total_seconds() if self._readable else None):
                await self._client.wait(f"containers/{self._handle}/wait", condition="not-running")
            has_ended = True
        except (TimeoutError, NotFound):
            pass  # the status tells
        status = await self._status_and_log(has_ended=has_ended)
        if status.state is ContainerState.CREATED:
            raise EngineUnavailable(f"the output of the container {self._handle} was cut before it was started")
        return status

    async def _status_and_log(self, *, has_ended: bool) -> ContainerStatus:
        """Give the status; read the log of little output beside it, which is whole once the container has ended."""
        self._ahead = None
        if not (has_ended and self._readable and self._is_short):
            return await self._status(self._handle)
        async with owned_tasks() as tasks:
            reading = tasks.spawn(self._whole_log(), name=f"log of {self._handle}")
            status = await self._status(self._handle)
            self._ahead = await reading
        return status

    async def _whole_log(self) -> list[bytes] | None:
        """Give the daemon's log; None where it is long, or can't be had."""
        try:
            return await self._short_log()
        except GoferError:  # whoever needs the log asks again, and hears of it then
            return None

    async def _short_log(self) -> list[bytes] | None:
        found: list[bytes] = []
        async with self._log(follow="0") as log:
            while data := await log.read():
                found.append(data)
                if sum(map(len, found)) > _AHEAD_BYTES:
                    return None
        return found

    @property
    def _is_short(self) -> bool:
        return sum(self._given.values()) <= _SHORT_BYTES

    async def _is_whole(self) -> bool:
        """Tell whether the end of the daemon's log is the end of what was given; False for little output."""
        if self._is_short:
            return False
        decoder = LogDecoder()
        ends = dict.fromkeys(LogStream, b"")
        async with self._log(tail=str(_TAIL_ENTRIES)) as log:
            while data := await log.read():
                for chunk in decoder.feed(data):
                    ends[chunk.stream] += chunk.data
        uncertain = decoder.uncertain()
        if decoder.failure or uncertain & self._guess:
            return False
        return all(self._ends_in(stream, ends[stream], uncertain=stream in uncertain) for stream in LogStream)

    def _ends_in(self, stream: LogStream, end: bytes, *, uncertain: bool) -> bool:
        given = self._tails[stream]
        return given.endswith(end[-_TAIL_BYTES:]) or (uncertain and given.endswith(end[1 - _TAIL_BYTES :] + b"\n"))

    def _from_log(self, stream: LogStream, data: bytes) -> LogChunk:
        chunk = LogChunk(stream=stream, data=data)
        self._note(chunk)
        self._guess.add(stream)
        return chunk

    def _note(self, chunk: LogChunk) -> None:
        self._given[chunk.stream] += len(chunk.data)
        self._tails[chunk.stream] = (self._tails[chunk.stream] + chunk.data)[-_TAIL_BYTES:]
