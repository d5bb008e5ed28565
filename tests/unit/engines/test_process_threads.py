"""Blocking work of the process engine whose caller goes away."""

import asyncio
import gc
import threading
from collections.abc import AsyncIterator

import pytest

from gofer.core.errors import EngineUnavailable
from gofer.engines.process.threads import Threads


@pytest.fixture
async def threads() -> AsyncIterator[Threads]:
    made = Threads()
    yield made
    await made.close()


async def test_an_error_reaches_the_caller_in_words(threads: Threads) -> None:
    def fail() -> None:
        raise OSError("no space left")

    with pytest.raises(EngineUnavailable, match="can't use its files: no space left"):
        await threads.run_to_end(fail, lambda nothing: nothing)


async def test_work_of_a_cancelled_caller_is_taken_all_the_same(threads: Threads) -> None:
    begun, may_end = threading.Event(), threading.Event()
    taken: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def work() -> str:
        begun.set()
        may_end.wait()
        return "done"

    async with asyncio.TaskGroup() as group:
        caller = group.create_task(threads.run_to_end(work, taken.set_result))
        await asyncio.to_thread(begun.wait)
        caller.cancel()
        await asyncio.wait((caller,))
        may_end.set()

    assert await taken == "done"


async def test_an_error_after_a_cancelled_caller_is_no_forgotten_one(threads: Threads) -> None:
    begun, may_end = threading.Event(), threading.Event()
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(context))

    def work() -> None:
        begun.set()
        may_end.wait()
        raise OSError("no space left")

    async with asyncio.TaskGroup() as group:
        caller = group.create_task(threads.run_to_end(work, lambda nothing: nothing))
        await asyncio.to_thread(begun.wait)
        caller.cancel()
        await asyncio.wait((caller,))
    del caller, group  # their traceback would keep the error
    may_end.set()
    await threads.close()
    for _ in range(3):  # the thread's end, and what is called on it
        await asyncio.sleep(0)
    gc.collect()

    assert reported == []
