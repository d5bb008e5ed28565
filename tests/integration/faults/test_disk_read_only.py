"""A disk that can only be read: refused in words at the start, waited for later."""

from pathlib import Path

import pytest

from gofer_sdk._proto import proto
from tests.fakes.waiting import until
from tests.integration.faults.faulty import (
    deploy,
    faulty_server,
    log_of,
    notes,
    notes_of_troubles,
    refusal,
    start,
    task,
)

pytestmark = pytest.mark.timeout(120)

CLOSED = 0o500
OPEN = 0o700


@pytest.mark.parametrize(
    ("name", "mode", "words"),
    [
        (".", CLOSED, "see that this server's user may write it and its folder"),
        ("gofer.db", 0o400, "Permission denied"),
    ],
)
async def test_a_server_whose_files_can_only_be_read_says_so(tmp_path: Path, name: str, mode: int, words: str) -> None:
    async with faulty_server(tmp_path, "process", powerless=True) as server:
        await server.terminate()
    (tmp_path / "data" / name).chmod(mode)

    last_words = await refusal(tmp_path, "process", powerless=True)

    (tmp_path / "data" / name).chmod(OPEN)
    assert words in last_words
    assert str(tmp_path / "data" / "gofer.db") in last_words


async def test_a_task_waits_until_its_folders_can_be_written_again(tmp_path: Path) -> None:
    folders = [tmp_path / "data" / name for name in ("logs", "processes")]
    async with faulty_server(tmp_path, "process", powerless=True) as server, server.impatient() as client:
        await deploy(client, task("work", "echo done; exit 3"))
        for closed in folders:
            closed.chmod(CLOSED)
            run = await start(client)

            async def is_told(closed: Path = closed) -> bool:
                return "Permission denied" in await notes(client) and str(closed) in await notes(client)

            await until(is_told)
            assert (await client.runs.get("faults", run)).state == proto.RunRunState.RUNNING
            closed.chmod(OPEN)

            assert (await client.runs.wait("faults", run)).status == proto.RunRunStatus.FAILED
            assert (await client.task_runs.get("faults", run, "work")).exit_code == 3
            assert await log_of(client, run, "work") == b"done\n"
            assert await notes_of_troubles(client) == []
