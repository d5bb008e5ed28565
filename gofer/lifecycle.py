"""Start in order, stop in reverse, and leave no task behind.

The parts of the server are workers. `running` holds one of them for the length of a block: entering waits until the
worker is ready, leaving stops it. Parts entered one after the other in an `AsyncExitStack` therefore start in order and
stop in reverse, and the first that fails cancels the block, so that the others stop in order too.

A trap of Python 3.11 that this module is written around: when a task group's block is cancelled from outside in the
same moment in which one of its own tasks fails, the group raises the failure and the cancellation is lost. That is
harmless while the failure travels on. Whoever catches it and goes on must call `reraise_cancellation` first.
"""

import asyncio
import ctypes
import os
import resource
import signal
import sys
import threading
from asyncio.sslproto import SSLProtocol
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from typing import Final, Protocol, TypeVar

from gofer.core.errors import ShuttingDown

T = TypeVar("T")

MANY_FILES: Final = 65_536
"""Two for each live task, some for each connection, and room; more would only slow down what looks at all of them."""
TLS_READ_BYTES: Final = 64 * 1024
LARGE_BLOCK_BYTES: Final = 128 * 1024
"""With this glibc begins, too."""
_MALLOC_LIMITS: Final = (-3, -1)  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD
STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_TOLD_WITHIN: Final = timedelta(seconds=1)


class Worker(Protocol):
    """A part of the server that runs until it is stopped."""

    @property
    def name(self) -> str:
        """Name the worker's task, for logs and debuggers."""
        ...

    async def run(self, ready: Callable[[], None]) -> None:
        """Work until `stop` is called, then return; raise when it can't go on.

        `ready` is called once, when the worker serves what others rely on. Returning by itself is allowed.
        Cancellation means that the process goes away: drop everything and leave.
        """
        ...

    def stop(self) -> None:
        """Ask `run` to return. Safe before `run` and after it, and more than once; never blocks, never raises."""
        ...


@asynccontextmanager
async def running(worker: Worker, *, grace: timedelta) -> AsyncIterator[None]:
    """Run `worker` for the length of the block, which begins when the worker is ready.

    On leaving, the worker is stopped, given `grace` to return, then cancelled, and waited for in any case. A worker
    that raises cancels the block; its exception comes out of this context manager. More than one come as a group.
    """
    async with _unwrapped(), asyncio.TaskGroup() as group:
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = group.create_task(worker.run(lambda: None if ready.done() else ready.set_result(None)), name=worker.name)
        try:
            await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
            yield
        finally:
            worker.stop()
            await asyncio.wait({task}, timeout=grace.total_seconds())
            task.cancel()


class OwnedTasks:
    """The tasks of one block; made by `owned_tasks`."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._tasks: set[asyncio.Task[object]] = set()
        self._closed = False

    def __len__(self) -> int:
        """Count the tasks that have not ended."""
        return len(self._tasks)

    def spawn(self, work: Coroutine[object, object, T], *, name: str) -> asyncio.Task[T]:
        """Start `work` as a task of the block; `ShuttingDown` once a task has failed or the block is being left."""
        if self._closed:
            work.close()
            raise ShuttingDown(f"{name} can't start: its owner is stopping")
        task = self._group.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._end)
        return task

    def cancel_all(self) -> None:
        """Cancel every task and take no more."""
        self._closed = True
        for task in tuple(self._tasks):
            task.cancel()

    def _end(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._closed = True  # the group takes no more either


@asynccontextmanager
async def owned_tasks() -> AsyncIterator[OwnedTasks]:
    """Own tasks for the length of a block: leaving it cancels those that still run and waits for them.

    A task that raises cancels the block and the other tasks; its exception comes out as from `running`.
    """
    async with _unwrapped(), asyncio.TaskGroup() as group:
        tasks = OwnedTasks(group)
        try:
            yield tasks
        finally:
            tasks.cancel_all()


def reraise_cancellation() -> None:
    """Raise `CancelledError` if the current task was asked to end.

    For whoever catches an exception out of a task group and goes on: on 3.11 it may stand where a cancellation was.
    Call it after the `except*` block, not in it: until 3.11.4 a group is put around what is raised there.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


@contextmanager
def stop_on_signals(stop: Callable[[], None], *, exit_now: Callable[[int], object] = os._exit) -> Iterator[None]:
    """Handle SIGINT and SIGTERM for the length of the block.

    The first of them calls `stop`, on the event loop. The second ends the process at once, with the exit code that a
    shell gives for that signal.
    """
    loop = asyncio.get_running_loop()
    asked = False

    def on_signal(number: int) -> None:
        nonlocal asked
        if asked:
            exit_now(128 + number)
        else:
            asked = True
            stop()

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield
    finally:
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)


@contextmanager
def exit_in_time(limit: timedelta, *, exit_now: Callable[[int], object] = os._exit) -> Iterator[Callable[[], None]]:
    """Give what begins the count: unless the block is left within `limit` of it, the process ends with code 1.

    The graces of the parts add up to what a stop should take; a disk that hangs takes no notice of them. Counting is a
    thread's work, so that a loop that hangs is no excuse either.
    """

    def tell() -> None:
        with suppress(OSError, ValueError):  # nobody listens any more
            sys.stderr.write(f"gofer: the stop took more than {limit}; leaving without it\n")

    def out_of_time() -> None:
        # Whoever should read it may be what the stop hangs for: the words get a thread of their own, and a moment.
        telling = threading.Thread(target=tell, daemon=True)
        telling.start()
        telling.join(_TOLD_WITHIN.total_seconds())
        exit_now(1)

    timer = threading.Timer(limit.total_seconds(), out_of_time)
    timer.daemon = True

    def begin() -> None:
        if timer.ident is None:
            timer.start()

    try:
        yield begin
    finally:
        timer.cancel()


@asynccontextmanager
async def _unwrapped() -> AsyncIterator[None]:
    # A block that raises one error should be seen to raise that error, not a group of one, however deep it stands.
    only: BaseException | None = None
    try:
        yield
    except BaseExceptionGroup as group:
        if len(group.exceptions) > 1:
            raise
        only = group.exceptions[0]
    if only is not None:
        context = only.__context__
        try:
            raise only
        finally:
            only.__context__ = context  # else the group would be shown as what the error came from


def allow_many_files() -> int:
    """Raise the soft limit of this process's open files towards the hard one, and give the one that held before.

    Two thousand live tasks need four thousand; 1,024 is what most systems begin with. What is allowed already stays.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY_FILES if hard == resource.RLIM_INFINITY else min(hard, MANY_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(soft, 0)


def read_tls_in_pieces() -> None:
    """Have each TLS connection hold, and each read of one ask for, 64 KiB instead of asyncio's 256.

    No TLS record is larger than 16 KiB. As a large block, what is asked for would be mapped and given back with every
    read, which doubles its cost.
    """
    SSLProtocol.max_size = TLS_READ_BYTES


def map_large_blocks() -> None:
    """Have each large block of this process's memory come from the system, and go back to it once it is free.

    glibc does so only until the first of them is freed; from then on it cuts those of that size out of the memory that
    small blocks are in. These soon lie in the holes that are left, and the next connection, with its buffer of 256 KiB,
    needs new memory; also, each thread keeps twice as much free memory as its largest block had. Where the C library is
    another one, nothing changes.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for limit in _MALLOC_LIMITS:
            mallopt(limit, LARGE_BLOCK_BYTES)
