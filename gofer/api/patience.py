"""How long one side of a call waits for the other."""

import asyncio
from datetime import timedelta
from types import TracebackType
from typing import Self


class Patience:
    """A time limit that is begun and laid to rest several times in each call, and for each message of a stream.

    So it costs no timer each time: the one that there is looks, when its time has come, whether it came too early.
    Within the block whoever waits too long is ended by `TimeoutError`.
    """

    def __init__(self, limit: timedelta) -> None:
        self._seconds = limit.total_seconds()
        self._scope = asyncio.timeout(None)
        self._loop = asyncio.get_running_loop()
        self._until: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def seconds(self) -> float:
        """The limit."""
        return self._seconds

    @property
    def has_ended(self) -> bool:
        """Whether the wait was too long."""
        return self._scope.expired()

    def begin(self) -> None:
        """Wait from now on."""
        self._until = self._loop.time() + self._seconds
        if self._timer is None:
            self._timer = self._loop.call_at(self._until, self._look)

    def rest(self) -> None:
        """Wait no more."""
        self._until = None

    async def __aenter__(self) -> Self:
        await self._scope.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._until = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self._scope.__aexit__(kind, error, trace)

    def _look(self) -> None:
        self._timer = None
        if self._until is None:
            return
        if self._until <= self._loop.time():
            self._scope.reschedule(self._until)
        else:
            self._timer = self._loop.call_at(self._until, self._look)
