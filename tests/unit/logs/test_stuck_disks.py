"""Writers whose disk does not answer."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from gofer.logs import LogStore
from tests.fakes.waiting import SOON_SECONDS, until
from tests.unit.logs.keys import key_of, out

KEY = key_of()


async def test_who_is_cancelled_while_a_log_is_finished_does_not_wait_for_a_disk_that_hangs(tmp_path: Path) -> None:
    """A server that was to stop waited for it, after the writer as during its block."""
    release = threading.Event()
    finishing = asyncio.Event()
    with ThreadPoolExecutor(1) as threads:
        store = LogStore(tmp_path / "logs", flush_grace=timedelta(milliseconds=10), threads=threads)

        async def write() -> None:
            async with store.writer(KEY) as writer:
                threads.submit(release.wait)
                await writer.append(out(b"old"))
                finishing.set()

        try:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(write())
                await finishing.wait()
                task.cancel()
                ended, _ = await asyncio.wait({task}, timeout=SOON_SECONDS)
                was_written = store.is_written(KEY)
                release.set()
        finally:
            release.set()
        await until(lambda: not store.is_written(KEY))

    assert ended == {task}
    assert was_written
    assert store.path(KEY).read_bytes() == b"old"
