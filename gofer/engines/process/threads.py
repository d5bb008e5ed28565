"""Blocking work off the event loop, with nothing lost when its caller goes away."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from gofer.core.errors import EngineUnavailable

T = TypeVar("T")
R = TypeVar("R")

_THREADS: Final = 8


class Threads:
    """The process engine's own threads: a slow disk elsewhere doesn't hold it up. Errors of the disk come in words."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="gofer-process")

    async def run(self, work: Callable[[], T]) -> T:
        """Give what the work gives. A cancelled caller's work may still be done; its result is dropped."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, _translated(work))

    async def run_to_end(self, work: Callable[[], T], then: Callable[[T], R]) -> R:
        """Give what `then` makes of the work's result; it runs on the event loop, also when the caller has gone.

        An error of the work is the caller's; one that comes after a caller that was cancelled is dropped.
        """
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[R] = loop.create_future()

        def pass_on(done: asyncio.Future[T]) -> None:
            error = done.exception()
            if error is None:
                outcome.set_result(then(done.result()))
            else:
                outcome.set_exception(error)

        loop.run_in_executor(self._pool, _translated(work)).add_done_callback(pass_on)
        try:
            return await asyncio.shield(outcome)
        except asyncio.CancelledError:
            # Unless somebody looks at it, asyncio reports the error as one that was forgotten.
            outcome.add_done_callback(lambda late: late.cancelled() or late.exception())
            raise

    async def made(self, make: Callable[[], T], *, drop: Callable[[T], object]) -> T:
        """Give what was made; where the caller goes away meanwhile, a thread drops it as soon as it is there."""
        loop = asyncio.get_running_loop()
        making = loop.run_in_executor(self._pool, _translated(make))

        def drop_it(done: asyncio.Future[T]) -> None:
            if done.exception() is None:
                loop.run_in_executor(None, drop, done.result())  # this engine's own pool may be closed by now

        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            making.add_done_callback(drop_it)
            raise

    async def close(self) -> None:
        """Take no more work and wait for what is under way."""
        await asyncio.to_thread(self._pool.shutdown)


def _translated(work: Callable[[], T]) -> Callable[[], T]:
    def run() -> T:
        try:
            return work()
        except OSError as error:
            raise EngineUnavailable(f"the process engine can't use its files: {error}") from error

    return run
