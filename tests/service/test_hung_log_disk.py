"""A disk of the logs that does not answer, as one of another machine that has gone."""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gofer.app import App
from gofer.logs.store import LOG_THREADS
from gofer_sdk._proto import proto
from tests.fakes.waiting import until
from tests.service.test_task_runs import output, raw, run_with
from tests.service.wire import task, up

READERS = 40
"""More than there are threads in any pool."""


@contextmanager
def hung(log: Path) -> Iterator[None]:
    """Have whoever opens the log wait until the end of the block: a pipe, which nobody writes to."""
    log.unlink()
    os.mkfifo(log)
    try:
        yield
    finally:
        descriptor = os.open(log, os.O_RDWR | os.O_NONBLOCK)
        log.unlink()  # those who come later find none
        os.close(descriptor)


async def test_work_goes_on_while_the_disk_of_the_logs_hangs(app: App, stub: proto.GoferStub) -> None:
    """Readers of logs took every thread of the server, and a registration needs one."""
    await run_with(stub, output(b"first line\n"))
    log = app.settings.task_run_logs_dir / "default" / "simple" / "1" / "hello"

    with hung(log):
        readers = [asyncio.create_task(raw(stub), name=f"reader {number}") for number in range(READERS)]
        await until(lambda: all_wait(readers))
        await up(stub, task("other"))
        await run_with(stub, {})

    ended = await asyncio.gather(*readers, return_exceptions=True)
    assert READERS == len(ended)


def all_wait(readers: list[asyncio.Task[bytes]]) -> bool:
    """Tell whether the threads of the logs are all in use, each by a reader: another one is made only then."""
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("gofer-logs")]
    return len(threads) == LOG_THREADS and not any(reader.done() for reader in readers)
