"""Files of a log that are removed, cut or torn: a clear error at worst, and in the end the whole log."""

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gofer_sdk._proto import proto
from gofer_sdk.client import GoferClient
from gofer_sdk.errors import NotFound
from tests.integration.faults.faulty import deploy, faulty_server, log_of, notes_of_troubles, start, task, until_running

pytestmark = pytest.mark.timeout(120)

HALF = 3000
WHOLE = b"".join(b"line %d\n" % number for number in range(2 * HALF))


def in_two_halves(gate: Path) -> proto.UserPipelineTaskConfig:
    """Make a task that waits between the halves of its output for a file."""
    script = (
        f"i=0; while [ $i -lt {HALF} ]; do echo line $i; i=$((i+1)); done; until [ -e {gate} ]; do sleep 0.02; done; "
        f"while [ $i -lt {2 * HALF} ]; do echo line $i; i=$((i+1)); done; exit 6"
    )
    return task("work", script)


async def until_half(client: GoferClient, run: int) -> None:
    """Wait until the first half is in the log."""
    await until_running(client, run, "work")
    async with asyncio.timeout(60):
        while len(await log_of(client, run, "work", follow=False)) < len(WHOLE) // 2 - HALF:
            pass


async def assert_whole(client: GoferClient, run: int) -> None:
    await client.runs.wait("faults", run)
    assert (await client.task_runs.get("faults", run, "work")).exit_code == 6
    assert await log_of(client, run, "work") == WHOLE
    assert await notes_of_troubles(client) == []


def remove_log(log: Path) -> None:
    log.unlink()


def remove_both(log: Path) -> None:
    log.unlink()
    index_of(log).unlink()


def remove_folder(log: Path) -> None:
    shutil.rmtree(log.parent)


def remove_all_logs(log: Path) -> None:
    shutil.rmtree(log.parents[3])


def index_of(log: Path) -> Path:
    return log.with_name(f"{log.name}.index")


async def test_a_log_that_is_removed_while_it_is_written_is_whole_in_the_end(tmp_path: Path) -> None:
    """It was written on into a file without a name, and nothing of it was left."""
    gate = tmp_path / "gate"
    removals = (remove_log, remove_both, remove_folder, remove_all_logs)
    async with faulty_server(tmp_path, "process") as server, server.impatient() as client:
        await deploy(client, in_two_halves(gate))
        runs = [await start(client) for _ in removals]
        for run, remove in zip(runs, removals, strict=True):
            await until_half(client, run)
            remove(log_path(tmp_path, run))
            if remove is remove_all_logs:
                gate.touch()
        for run in runs:
            await assert_whole(client, run)


async def test_a_log_that_is_removed_afterwards_is_told(tmp_path: Path) -> None:
    """It was given as an empty one."""
    async with faulty_server(tmp_path, "process") as server, server.impatient() as client:
        await deploy(client, task("work", "echo something"))
        run = await start(client)
        await client.runs.wait("faults", run)
        assert await log_of(client, run, "work") == b"something\n"
        log_path(tmp_path, run).unlink()

        with pytest.raises(NotFound, match="the logs of default/faults/1/work are gone"):
            await log_of(client, run, "work")


def half_a_record(log: Path) -> None:
    with index_of(log).open("ab") as index:
        index.write(b"\0" * 13)


def no_record(log: Path) -> None:
    with index_of(log).open("ab") as index:
        index.write(bytes(28))


def cut_record(log: Path) -> None:
    os.truncate(index_of(log), index_of(log).stat().st_size - 5)


def cut_log(log: Path) -> None:
    os.truncate(log, log.stat().st_size - 7)


def more_log(log: Path) -> None:
    with log.open("ab") as file:
        file.write(b"what no record tells of")


def no_index(log: Path) -> None:
    index_of(log).unlink()


def empty_log(log: Path) -> None:
    os.truncate(log, 0)


TEARS: tuple[Callable[[Path], None], ...] = (
    half_a_record,
    no_record,
    cut_record,
    cut_log,
    more_log,
    no_index,
    empty_log,
    remove_log,
)


async def test_what_a_crash_tears_is_mended_from_the_engine(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with faulty_server(tmp_path, "process") as first:
        async with first.impatient() as client:
            await deploy(client, in_two_halves(gate))
            runs = [await start(client) for _ in TEARS]
            for run in runs:
                await until_half(client, run)
        await first.kill()
    for run, tear in zip(runs, TEARS, strict=True):
        tear(log_path(tmp_path, run))
    journal = tmp_path / "data" / "gofer.db-wal"
    with journal.open("ab") as file:
        file.write(b"\x37\x7f" + os.urandom(5000))  # a torn commit, of which nobody had heard
    gate.touch()

    async with faulty_server(tmp_path, "process") as second, second.impatient() as client:
        for run in runs:
            await assert_whole(client, run)


def log_path(folder: Path, run: int) -> Path:
    return folder / "data" / "logs" / "default" / "faults" / str(run) / "work"
