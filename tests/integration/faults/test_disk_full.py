"""A disk without room: what was acknowledged stays, what can't be stored is refused in words, and then it goes on."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from gofer.core.errors import EngineUnavailable
from gofer.engines.protocols import ContainerState
from gofer_sdk._proto import proto
from gofer_sdk.client import GoferClient
from gofer_sdk.errors import Unavailable
from tests.fakes.waiting import until
from tests.integration.faults.faulty import (
    deploy,
    faulty_server,
    log_of,
    notes,
    notes_of_troubles,
    said,
    start,
    task,
    until_running,
)
from tests.unit.engines.processes import engine_in, output, shell

pytestmark = pytest.mark.timeout(120)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a small disk")

FAILED = proto.RunRunStatus.FAILED
SUCCESSFUL = proto.RunRunStatus.SUCCESSFUL
FULL = "disk of the server's data folder is full"
FAILING = "does not let the database work"


def held(name: str = "work") -> proto.UserPipelineTaskConfig:
    """Make a task of the memory engine that runs for a moment."""
    made = task(name, "")
    made.variables = {"GOFER_MEMORY_SLEEP": "200ms", "GOFER_MEMORY_LOG": "said"}
    return made


async def started_until_refused(client: GoferClient, words: str) -> list[int]:
    """Start runs until one is refused, as a database may have room for some more; those that were started."""
    runs = []
    with pytest.raises(Unavailable, match=words):  # noqa: PT012 - which of them it is depends on pages
        while True:
            runs.append(await start(client))
    return runs


async def all_ended(client: GoferClient) -> list[proto.Run]:
    """Wait for the end of every run that there is."""
    return [await client.runs.wait("faults", run.id) async for run in client.runs.each("faults")]


async def events_of(client: GoferClient) -> list[proto.Event]:
    return [event async for event in client.events.list()]


async def assert_nothing_lost(client: GoferClient, acknowledged: list[int]) -> None:
    """Every run that was acknowledged has ended well, with its log; each ended once, and no event is missing."""
    runs = {run.id: run for run in await all_ended(client)}
    assert set(acknowledged) <= set(runs)
    assert {run.status for run in runs.values()} == {SUCCESSFUL}
    for number in runs:
        assert await log_of(client, number, "work") == b"said\n"
    events = await events_of(client)
    ids = [event.id for event in events]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert len(runs) == sum(event.type == "RUN_COMPLETED" for event in events)


async def test_a_full_database_refuses_in_words_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    async with faulty_server(tmp_path, "memory") as server, server.impatient() as client:
        await deploy(client, held())
        acknowledged = [await start(client) for _ in range(5)]
        await server.ask("pages 0")
        acknowledged += await started_until_refused(client, FULL)
        read_meanwhile = await client.runs.get("faults", 1)
        await server.ask("pages -1")
        acknowledged.append(await start(client))

        assert read_meanwhile.id == 1
        await assert_nothing_lost(client, acknowledged)
        assert FULL not in await notes(client)


async def test_a_write_that_the_machine_refuses_is_told_and_tried_again(tmp_path: Path) -> None:
    async with faulty_server(tmp_path, "memory") as server, server.impatient() as client:
        await deploy(client, held())
        acknowledged = [await start(client) for _ in range(5)]
        server.limit_files(4096)
        acknowledged += await started_until_refused(client, FAILING)

        async def is_told() -> bool:
            return FAILING in await notes(client)

        await until(is_told)
        server.limit_files()
        acknowledged.append(await start(client))

        await assert_nothing_lost(client, acknowledged)
        assert FAILING not in await notes(client)


async def test_the_servers_own_log_goes_on_when_there_is_room_again(tmp_path: Path) -> None:
    """A refused line once ended the thread that writes them all, and the server was silent from then on."""
    async with faulty_server(tmp_path, "memory") as server, server.impatient() as client:
        server.limit_files(1)
        for _ in range(50):
            await client.system.info()
        server.limit_files()

        async def is_heard() -> bool:
            await client.namespaces.get("default")
            return "GetNamespace" in said(tmp_path)

        await until(is_heard)


async def test_a_log_that_finds_no_room_is_told_and_is_whole_in_the_end(tmp_path: Path) -> None:
    begin, lines = tmp_path / "begin", 400_000
    script = f"until [ -e {begin} ]; do sleep 0.02; done; seq {lines}; exit 5"
    async with faulty_server(tmp_path, "process") as server, server.impatient() as client:
        await deploy(client, task("work", script))
        run = await start(client)

        async def is_told() -> bool:
            return "the log of default/faults/1/work can't be written" in await notes(client)

        await until_running(client, run, "work")
        server.limit_files(1024 * 1024)  # the database is smaller, the log will be larger
        begin.touch()
        await until(is_told)
        server.limit_files()

        assert (await client.runs.wait("faults", run)).status == FAILED
        assert (await client.task_runs.get("faults", run, "work")).exit_code == 5
        assert await log_of(client, run, "work") == b"".join(b"%d\n" % number for number in range(1, lines + 1))
        assert await notes_of_troubles(client) == []


@needs_root
async def test_a_task_that_ends_while_the_disk_is_full_keeps_its_exit_code_and_its_log(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    lines = 5000
    script = f"seq {lines}; until [ -e {gate} ]; do sleep 0.02; done; exit 7"
    async with faulty_server(tmp_path, "process", disk_bytes=8 * 1024 * 1024) as server, server.impatient() as client:
        await deploy(client, task("work", script))
        run = await start(client)

        async def is_written() -> bool:
            return len(await log_of(client, run, "work", follow=False)) == len(whole)

        await until_running(client, run, "work")
        whole = b"".join(b"%d\n" % number for number in range(1, lines + 1))
        await until(is_written)
        ballast = fill(server.files(tmp_path / "data"))
        await started_until_refused(client, FULL)
        gate.touch()

        async def has_ended() -> bool:
            return any(server.files(tmp_path / "data" / "processes").glob("*/status"))

        await until(has_ended)
        ballast.unlink()

        assert (await client.runs.wait("faults", run)).status == FAILED
        assert (await client.task_runs.get("faults", run, "work")).exit_code == 7
        assert await log_of(client, run, "work") == whole
        assert await notes_of_troubles(client) == []


@needs_root
async def test_a_start_for_which_there_is_no_room_can_be_tried_again(tmp_path: Path) -> None:
    """The claim was made and could not be written: nobody could start the attempt, and it counted as killed."""
    with small_disk(tmp_path / "disk", 1024 * 1024) as disk:
        async with engine_in(disk / "processes") as engine:
            handle = await engine.create(shell("echo once; exit 3"))
            ballast = fill(disk)
            os.truncate(ballast, ballast.stat().st_size - 4096)  # for the line that comes before the claim
            with pytest.raises(EngineUnavailable, match="is the disk full"):
                await engine.start(handle)
            assert (await engine.inspect(handle)).state is ContainerState.CREATED
            ballast.unlink()
            await engine.start(handle)

            assert await output(engine, handle) == b"once\n"
            assert (await engine.wait(handle)).exit_code == 3
            await engine.remove(handle)


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[Path]:
    """Mount a disk for the length of the block."""
    folder.mkdir()
    subprocess.run(("mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "none", folder), check=True)
    try:
        yield folder
    finally:
        subprocess.run(("umount", "--lazy", folder), check=True)


def fill(folder: Path) -> Path:
    """Leave no room on the disk of a folder; the file that takes it all."""
    ballast = folder / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return ballast
