"""Objects that are cut off in the middle, by either side's sudden end, and objects larger than the server's memory."""

import asyncio
import hashlib
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from gofer_sdk._proto import proto
from gofer_sdk.client import GoferClient
from gofer_sdk.errors import CallFailed
from tests.fakes.waiting import until
from tests.integration.servers import ROOT, ServerProcess, server

MIB = 1024 * 1024
LARGE_BYTES = 100 * MIB
MOST_EXTRA_BYTES = 40 * MIB
PIPELINE = "uploads"

pytestmark = pytest.mark.timeout(120)


async def register(client: GoferClient) -> None:
    task = proto.UserPipelineTaskConfig(id="only", image="i", command=["true"])
    await client.pipelines.register(proto.UserPipelineConfig(id=PIPELINE, name="Uploads", tasks=[task]))


def parts_in(folder: Path) -> int:
    """Count the parts of objects in the store's file, also of those that nobody sees yet."""
    (path,) = folder.rglob("gofer-object.db")
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
        (count,) = store.execute("SELECT count(*) FROM object_parts").fetchone()
        return int(count)


async def until_parts(folder: Path, *, there: bool) -> None:
    """Wait until the store's file holds parts, or none any more."""

    async def is_so() -> bool:
        return there == bool(await asyncio.to_thread(parts_in, folder))

    await until(is_so)


def peak_bytes(process: ServerProcess) -> int:
    """Give the most memory that a server has ever held."""
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


@pytest.mark.slow
async def test_an_upload_whose_client_or_server_is_killed_leaves_nothing(tmp_path: Path) -> None:
    async with server(tmp_path, "memory") as first, first.client() as client:
        await register(client)
        await killed_client(first, tmp_path)
        await until_parts(tmp_path, there=False)
        assert 0 == len(await client.objects.list(PIPELINE))

        async with asyncio.TaskGroup() as group:
            upload = group.create_task(failing_upload(client), name="upload")
            await until_parts(tmp_path, there=True)
            await first.kill()
            await upload
    assert parts_in(tmp_path)

    async with server(tmp_path, "memory") as second, second.client() as client:
        await until_parts(tmp_path, there=False)
        assert 0 == len(await client.objects.list(PIPELINE))
        await client.objects.put(PIPELINE, "cut", b"whole")
        assert b"whole" == await client.objects.get(PIPELINE, "cut")


async def killed_client(its: ServerProcess, folder: Path) -> None:
    """Kill the command line in the middle of what is piped into it."""
    command = ["-m", "gofer", "pipeline", "object", "put", PIPELINE, "cut", "--host", its.host]
    process = await asyncio.create_subprocess_exec(sys.executable, *command, cwd=ROOT, stdin=asyncio.subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(bytes(5 * MIB))
    await until_parts(folder, there=True)
    process.kill()
    await process.wait()


async def failing_upload(client: GoferClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(MIB)

    with pytest.raises(CallFailed):
        await client.objects.put(PIPELINE, "cut", endless())


@pytest.mark.slow
async def test_an_object_of_100_mib_passes_through_little_memory(tmp_path: Path) -> None:
    """One of 1 GiB does in the benchmarks; here it is as much as a test has the time for."""
    sent, got = hashlib.sha256(), hashlib.sha256()

    async def numbered() -> AsyncIterator[bytes]:
        for number in range(LARGE_BYTES // MIB):
            piece = number.to_bytes(8, "big") * (MIB // 8)
            sent.update(piece)
            yield piece

    async with server(tmp_path, "memory", "--object-bytes", str(LARGE_BYTES)) as its, its.client() as client:
        await register(client)
        await client.objects.put(PIPELINE, "warm", bytes(4 * MIB))
        await client.objects.get(PIPELINE, "warm")
        before = peak_bytes(its)

        await client.objects.put(PIPELINE, "large", numbered())
        async with client.objects.open(PIPELINE, "large") as found:
            async for piece in found.content:
                got.update(piece)

        assert sent.digest() == got.digest()
        assert MOST_EXTRA_BYTES > peak_bytes(its) - before


@pytest.mark.slow
async def test_what_was_replaced_right_before_a_kill_is_gone_after_the_next_start(tmp_path: Path) -> None:
    """It is deleted after the reply, so that the last of these are there at the kill."""
    async with server(tmp_path, "memory") as first, first.client() as client:
        await register(client)
        last = await put_until_one_waits(first, client, tmp_path)
        await first.kill()
    assert 1 < parts_in(tmp_path)

    async with server(tmp_path, "memory") as second, second.client() as client:
        assert last == await client.objects.get(PIPELINE, "same")
        assert 1 == parts_in(tmp_path)


async def put_until_one_waits(its: ServerProcess, client: GoferClient, folder: Path) -> bytes:
    """Replace an object until the server stands still with what was replaced not yet deleted; what it holds then."""
    for number in range(1000):
        await client.objects.put(PIPELINE, "same", b"%d" % number, force=True)
        its.process.send_signal(signal.SIGSTOP)
        await until(lambda: stands_still(its.process.pid))
        if number > 1 and parts_in(folder) > 1:
            return b"%d" % number
        its.process.send_signal(signal.SIGCONT)
    raise AssertionError("what was replaced was always gone already")


def stands_still(pid: int) -> bool:
    stats = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)
