"""How a call is woken where its connection is lost or its time is over.

grpclib cancels the tasks that wait, and gives them another error in the place of the cancel. It takes the cancel itself
never back, so that asyncio goes on to count it: a later Ctrl-C ends in a CancelledError, for one. And a cancel of
somebody else's that comes at the same moment is lost in that error.
"""

import asyncio
import time
from types import TracebackType
from typing import TypeVar

import betterproto2
from grpclib.client import Stream
from grpclib.utils import DeadlineWrapper

Request = TypeVar("Request", bound=betterproto2.Message)
Reply = TypeVar("Reply", bound=betterproto2.Message)


class Waker(DeadlineWrapper):
    """Wakes the tasks within it with an error, each of them as often cancelled afterwards as others wanted it."""

    def __init__(self) -> None:
        super().__init__()
        self._own: dict[asyncio.Task[object], int] = {}
        self._before: dict[asyncio.Task[object], int] = {}

    def __enter__(self) -> None:
        super().__enter__()
        task = _this_task()
        self._before[task] = task.cancelling()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task = _this_task()
        for _ in range(self._own.pop(task, 0)):
            task.uncancel()
        is_wanted_by_others = task.cancelling() > self._before.pop(task)
        if is_wanted_by_others and isinstance(error, asyncio.CancelledError):
            self._tasks.discard(task)
            return
        super().__exit__(kind, error, trace)

    def cancel(self, error: Exception) -> None:
        """Wake all tasks that are within, and those that come later."""
        for task in self._tasks:
            self._own[task] = self._own.get(task, 0) + 1
        super().cancel(error)


class Call(Stream[Request, Reply]):
    """A call of grpclib's that is woken so."""

    # What it sets is private to grpclib, whose version is therefore an exact one: it does what the original does.

    async def __aenter__(self) -> "Call[Request, Reply]":
        self._wrapper = Waker()
        if self._deadline is not None:
            self._wrapper_ctx = self._wrapper.start(self._deadline)
            self._wrapper_ctx.__enter__()
        self._channel._calls_started += 1  # noqa: SLF001
        self._channel._last_call_started = time.monotonic()  # noqa: SLF001
        return self


def _this_task() -> "asyncio.Task[object]":
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - grpclib has asked already
    return task
