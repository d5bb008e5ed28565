"""A terminal in the container of a running task."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gofer_sdk._proto import proto
from gofer_sdk.client.calls import Calls
from gofer_sdk.client.two_ways import TwoWays

MOST_BYTES_AT_ONCE = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The size of a terminal's window, in characters."""

    rows: int = 24
    columns: int = 80

    def to_message(self) -> proto.TerminalSize:
        """Return it as it is sent."""
        return proto.TerminalSize(rows=self.rows, columns=self.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalWish:
    """What to run, empty for `sh`, and on what terminal; `term` is what the variable TERM says there."""

    command: tuple[str, ...] = ()
    window: Window = field(default_factory=Window)
    term: str = ""


class Attachment:
    """An open terminal; made by `TaskRunCalls.attach`. Typing beside reading is fine."""

    def __init__(self, stream: TwoWays[proto.AttachToTaskRunRequest, proto.AttachToTaskRunOutput]) -> None:
        self._stream = stream
        self.exit_code: int | None = None
        """How the command has ended, once the output has; None where the task run has ended first."""

    async def type(self, data: bytes) -> None:
        """Type bytes, control characters too: 3 is Ctrl-C, 4 at the start of a line the end of the input.

        Raises CallFailed.
        """
        for begin in range(0, len(data), MOST_BYTES_AT_ONCE):
            await self._send(proto.AttachToTaskRunInput(chunk=data[begin : begin + MOST_BYTES_AT_ONCE]))

    async def resize(self, window: Window) -> None:
        """Tell the command that its window has another size. Raises CallFailed."""
        await self._send(proto.AttachToTaskRunInput(size=window.to_message()))

    async def output(self) -> AsyncGenerator[bytes, None]:
        """Yield what the terminal prints, byte for byte, to the end of the command. Raises CallFailed."""
        while (answer := await self._stream.receive()) is not None and answer.chunk:
            yield answer.chunk
        # The last message has none: it says how the command has ended.
        self.exit_code = None if answer is None else answer.exit_code

    async def _send(self, given: proto.AttachToTaskRunInput) -> None:
        await self._stream.send(proto.AttachToTaskRunRequest(input=given))


@asynccontextmanager
async def attachment(calls: Calls, init: proto.AttachToTaskRunInit) -> AsyncIterator[Attachment]:
    """Open a terminal; leaving ends the command. Raises CallFailed."""
    request = proto.AttachToTaskRunRequest(init=init)
    async with calls.both_ways(request, proto.AttachToTaskRunOutput) as stream:
        yield Attachment(stream)
