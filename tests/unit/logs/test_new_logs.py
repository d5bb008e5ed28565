"""Logs of task runs that are new: made by their first bytes, whatever lay in their place."""

from pathlib import Path

import pytest

from gofer.core.output import LogCursor
from gofer.logs import LogStore
from tests.unit.logs.keys import err, key_of, out

KEY = key_of()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "logs"


@pytest.fixture
def store(root: Path) -> LogStore:
    return LogStore(root)


async def test_a_new_log_without_output_makes_no_file(store: LogStore, root: Path) -> None:
    async with store.writer(KEY, is_new=True) as writer:
        await writer.append(out(b""))

    assert LogCursor() == writer.cursor
    assert writer.size_bytes == 0
    assert [] == list(root.rglob("*"))


async def test_a_new_log_that_is_given_up_before_its_first_byte_makes_no_file(store: LogStore, root: Path) -> None:
    with pytest.raises(KeyError):
        async with store.writer(KEY, is_new=True):
            raise KeyError

    assert [] == list(root.rglob("*"))


async def test_a_new_log_is_made_by_its_first_bytes_and_goes_on_as_any_other(store: LogStore, root: Path) -> None:
    async with store.writer(KEY, is_new=True) as writer:
        await writer.append(out(b"one\n"))
        await writer.append(err(b"two\n"))
    async with store.writer(KEY) as writer:
        cursor = writer.cursor
        await writer.append(out(b"three\n"))

    assert LogCursor(stdout_bytes=4, stderr_bytes=4) == cursor
    assert (root / "default" / "pipe" / "1" / "task").read_bytes() == b"one\ntwo\nthree\n"


async def test_a_new_log_has_nothing_of_what_lay_in_its_place(store: LogStore, root: Path) -> None:
    async with store.writer(KEY) as writer:
        await writer.append(out(b"somebody else's, and longer"))
    async with store.writer(KEY, is_new=True) as writer:
        await writer.append(out(b"mine"))
    async with store.writer(KEY) as writer:
        cursor = writer.cursor

    assert LogCursor(stdout_bytes=4) == cursor
    assert (root / "default" / "pipe" / "1" / "task").read_bytes() == b"mine"


async def test_a_new_log_whose_first_bytes_the_disk_refuses_tells_so(root: Path) -> None:
    root.mkdir(0o700)
    (root / "default").write_text("no folder")
    store = LogStore(root)

    with pytest.raises(OSError, match="can't be written"):
        async with store.writer(KEY, is_new=True) as writer:
            await writer.append(out(b"lost"))
