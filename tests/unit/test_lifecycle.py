import asyncio
import ctypes
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, suppress
from datetime import timedelta

import pytest

from gofer.core.errors import ShuttingDown
from gofer.lifecycle import (
    MANY_FILES,
    TLS_READ_BYTES,
    allow_many_files,
    owned_tasks,
    reraise_cancellation,
    running,
)
from tests.fakes.stress import cancel_during_start, start_stop_stress

GRACE = timedelta(minutes=1)
NO_GRACE = timedelta(milliseconds=10)


class Boom(Exception):
    pass


class Part:
    """A worker that writes down what happens to it."""

    def __init__(self, name: str, log: list[str], *, deaf: bool = False) -> None:
        self.name = name
        self.crash = asyncio.Event()
        self._log = log
        self._deaf = deaf
        self._stop = asyncio.Event()

    async def run(self, ready: Callable[[], None]) -> None:
        self._log.append(f"{self.name} runs")
        await asyncio.sleep(0)
        ready()
        try:
            await self._until_told()
        except asyncio.CancelledError:
            self._log.append(f"{self.name} cancelled")
            raise
        self._log.append(f"{self.name} stopped")

    async def _until_told(self) -> None:
        async with asyncio.TaskGroup() as group:
            crash = group.create_task(self.crash.wait(), name="crash")
            stop = group.create_task(asyncio.Event().wait() if self._deaf else self._stop.wait(), name="stop")
            await asyncio.wait({crash, stop}, return_when=asyncio.FIRST_COMPLETED)
            crash.cancel()
            stop.cancel()
        if self.crash.is_set():
            raise Boom(self.name)

    def stop(self) -> None:
        self._stop.set()


async def start(parts: list[Part], stack: AsyncExitStack, *, grace: timedelta = GRACE) -> None:
    for part in parts:
        await stack.enter_async_context(running(part, grace=grace))


async def test_parts_start_in_order_and_stop_in_reverse() -> None:
    log: list[str] = []

    async with AsyncExitStack() as stack:
        await start([Part(name, log) for name in "abc"], stack)
        log.append("block")

    assert [*(f"{n} runs" for n in "abc"), "block", *(f"{n} stopped" for n in "cba")] == log


async def test_a_part_that_does_not_stop_is_cancelled_after_its_grace_and_the_others_stop() -> None:
    log: list[str] = []

    async with AsyncExitStack() as stack:
        await start([Part("a", log)], stack)
        await start([Part("b", log, deaf=True)], stack, grace=NO_GRACE)
        await start([Part("c", log)], stack)

    assert log[3:] == ["c stopped", "b cancelled", "a stopped"]


async def test_a_crash_ends_the_block_and_stops_the_other_parts_in_reverse() -> None:
    log: list[str] = []
    parts = [Part(name, log) for name in "abc"]

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            await start(parts, stack)
            parts[1].crash.set()
            await asyncio.Event().wait()

    with pytest.raises(Boom, match="b"):
        await serve()

    assert log[3:] == ["c stopped", "a stopped"]


async def test_a_crash_before_ready_never_enters_the_block() -> None:
    log: list[str] = []
    part = Part("a", log)
    part.crash.set()

    class Unready(Part):
        async def run(self, ready: Callable[[], None]) -> None:
            raise Boom("early")

    with pytest.raises(Boom, match="early"):
        async with running(Unready("x", log), grace=GRACE):
            log.append("block")

    assert log == []


async def test_a_worker_may_return_by_itself_even_without_being_ready() -> None:
    class Short:
        name = "short"

        async def run(self, ready: Callable[[], None]) -> None:
            await asyncio.sleep(0)

        def stop(self) -> None:
            pass

    async with running(Short(), grace=GRACE):
        entered = True

    assert entered


async def test_the_error_of_the_block_comes_out_as_it_is_and_the_parts_stop() -> None:
    log: list[str] = []

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            await start([Part(name, log) for name in "ab"], stack)
            raise Boom("mine")

    with pytest.raises(Boom, match="mine") as caught:
        await serve()

    assert log[2:] == ["b stopped", "a stopped"]
    assert caught.value.__context__ is None


async def test_two_failures_come_as_a_group() -> None:
    part = Part("a", [])

    async def serve() -> None:
        async with running(part, grace=GRACE):
            part.crash.set()
            try:
                await asyncio.Event().wait()
            finally:
                raise Boom("block")

    with pytest.raises(BaseExceptionGroup) as caught:
        await serve()

    assert {"a", "block"} == {str(each) for each in caught.value.exceptions}


async def test_cancelling_the_block_from_outside_stops_the_parts_and_stays_a_cancellation() -> None:
    log: list[str] = []
    inside = asyncio.Event()

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            await start([Part(name, log) for name in "ab"], stack)
            inside.set()
            await asyncio.Event().wait()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(serve(), name="serve")
        await inside.wait()
        task.cancel()

    assert task.cancelled()
    assert log[2:] == ["b stopped", "a stopped"]


async def test_workers_survive_start_stop_stress_and_cancellation_at_every_step_of_their_start() -> None:
    log: list[str] = []

    await start_stop_stress(lambda: Part("a", log), times=50)
    await cancel_during_start(lambda: Part("a", log))

    assert log.count("a runs") == log.count("a stopped") + log.count("a cancelled")


async def test_an_outer_cancellation_that_a_failing_inner_group_hides_can_be_raised_again() -> None:
    """On 3.11 the inner group raises its failure in place of the outer group's cancellation."""
    went_on = False

    async def fail(error: Exception) -> None:
        await asyncio.sleep(0)
        raise error

    async def hide() -> None:
        nonlocal went_on
        async with asyncio.TaskGroup() as outer:
            try:
                async with asyncio.TaskGroup() as inner:
                    inner.create_task(fail(Boom("inner")), name="inner")
                    outer.create_task(fail(ValueError("outer")), name="outer")
            except* Boom:
                pass
            reraise_cancellation()
            await asyncio.sleep(0)
            went_on = True

    with pytest.raises(ExceptionGroup) as caught:
        await hide()

    assert not went_on
    assert caught.group_contains(ValueError, match="outer")


async def test_owned_tasks_end_with_their_block() -> None:
    ended = asyncio.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with owned_tasks() as tasks:
        task = tasks.spawn(forever(), name="forever")
        await asyncio.sleep(0)
        assert len(tasks) == 1

    assert task.get_name() == "forever"
    assert task.cancelled()
    assert ended.is_set()
    assert len(tasks) == 0


async def test_an_owned_task_that_fails_ends_the_block_with_its_own_error() -> None:
    async def fail() -> None:
        raise Boom("task")

    async def own() -> None:
        async with owned_tasks() as tasks:
            tasks.spawn(fail(), name="fail")
            await asyncio.Event().wait()

    with pytest.raises(Boom, match="task"):
        await own()


async def test_no_task_can_be_spawned_while_the_owner_stops() -> None:
    async def nothing() -> None:
        pass

    async with owned_tasks() as tasks:
        pass

    with pytest.raises(ShuttingDown, match="late"):
        tasks.spawn(nothing(), name="late")


async def test_no_task_can_be_spawned_once_another_has_failed() -> None:
    """The group takes none from that moment on, though its block is left only later."""
    refused: list[bool] = []

    def spawn_too_late(_: object) -> None:
        with pytest.raises(ShuttingDown, match="late"):
            tasks.spawn(asyncio.sleep(0), name="late")
        refused.append(True)

    async def fail() -> None:
        raise Boom("first")

    with suppress(Boom):
        async with owned_tasks() as tasks:
            tasks.spawn(fail(), name="first").add_done_callback(spawn_too_late)
            await asyncio.Event().wait()

    assert refused == [True]


@pytest.fixture
def _limit_of_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("_limit_of_files")
def test_many_files_may_be_open_and_what_held_before_is_told() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))

    before = allow_many_files()

    assert before == 512
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (min(hard, MANY_FILES) if hard > 0 else MANY_FILES, hard)
    allow_many_files()
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] == hard


_MAPPED_BLOCKS = """
import ctypes
from gofer.lifecycle import LARGE_BLOCK_BYTES, map_large_blocks

class Blocks(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena free fast mapped".split()] + [("rest", ctypes.c_size_t * 6)]

count = ctypes.CDLL(None).mallinfo2
count.restype = Blocks
bytearray(16 * LARGE_BLOCK_BYTES)  # glibc remembers that such a block was freed
before = [bytearray(2 * LARGE_BLOCK_BYTES), count().mapped]
map_large_blocks()
after = [bytearray(2 * LARGE_BLOCK_BYTES), count().mapped]
first, second = before[1], after[1]
del after[0]
print(second - first, count().mapped - first)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="the C library is not glibc 2.33 or later")
def test_large_blocks_are_mapped_and_given_back_although_one_was_freed_before() -> None:
    found = subprocess.run([sys.executable, "-c", _MAPPED_BLOCKS], check=True, capture_output=True, text=True)

    assert found.stdout.split() == ["1", "0"]


_TLS_BUFFER = """
import asyncio, ssl
from gofer.lifecycle import read_tls_in_pieces

async def size():
    context = ssl.create_default_context()
    protocol = asyncio.sslproto.SSLProtocol(asyncio.get_running_loop(), asyncio.Protocol(), context, None)
    return len(protocol.get_buffer(-1))

before = asyncio.run(size())
read_tls_in_pieces()
print(asyncio.run(size()) < before, asyncio.run(size()))
"""


def test_a_tls_connection_holds_little_for_what_it_reads() -> None:
    found = subprocess.run([sys.executable, "-c", _TLS_BUFFER], check=True, capture_output=True, text=True)

    assert found.stdout.split() == ["True", str(TLS_READ_BYTES)]
