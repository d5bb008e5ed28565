"""A rotation of the encryption key that is killed again and again."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.integration.servers import ROOT
from tests.service.test_key_rotation import COUNT, NEW, OLD, password, register, server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]


async def rotate(folder: Path, *, until_line: int) -> bool:
    """Run a rotation and kill it as `kill -9` does when it has said so many lines; whether it came to its end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.recovery.rotating",
        str(folder),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    for _ in range(until_line):
        if not await process.stdout.readline():
            break
    else:
        process.kill()
    await process.communicate()
    return process.returncode == 0


async def test_a_rotation_that_is_killed_comes_to_its_end_when_it_is_begun_again(tmp_path: Path) -> None:
    async with server(tmp_path, OLD) as before:
        await register(before, b"hunter22")
        await before.put(COUNT)

    ends = [await rotate(tmp_path, until_line=line) for line in (1, 2, 3, 100)]

    assert [False, False, False, True] == ends
    async with server(tmp_path, NEW) as after:
        assert [f"value {number}" for number in range(COUNT)] == await after.values(COUNT)
        assert b"hunter22" == await password(after)
