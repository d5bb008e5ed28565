"""The logs of a whole pipeline, removed some runs at a time."""

from pathlib import Path

import pytest

from gofer.core.errors import FailedPrecondition, GoferError, InvalidInput
from gofer.core.ids import NamespaceId, PipelineId, PipelineKey, TaskId
from gofer.logs import LogStore
from tests.factories import KEY, NAMESPACE, run_key


def logs_of(root: Path, runs: int, *, pipeline: str = KEY.pipeline) -> Path:
    """Make folders as the writers of so many runs leave them."""
    folder = root / NAMESPACE / pipeline
    for run in range(1, runs + 1):
        (folder / str(run)).mkdir(parents=True)
        (folder / str(run) / "task").write_text("words")
        (folder / str(run) / "task.index").write_bytes(bytes(24))
    return folder


async def test_some_runs_go_at_a_time_then_the_folder_and_no_other_pipeline(tmp_path: Path) -> None:
    folder, other = logs_of(tmp_path, 120), logs_of(tmp_path, 2, pipeline="other")
    store = LogStore(tmp_path)

    assert await store.delete_some_of(KEY)
    assert 70 == len(list(folder.iterdir()))
    assert [True, False] == [await store.delete_some_of(KEY) for _ in range(2)]

    assert not folder.exists()
    assert 2 == len(list(other.iterdir()))
    assert not await store.delete_some_of(KEY)


async def test_with_its_last_pipeline_the_folder_of_a_namespace_goes(tmp_path: Path) -> None:
    logs_of(tmp_path, 1)

    assert not await LogStore(tmp_path).delete_some_of(KEY)

    assert [] == list(tmp_path.iterdir())


async def test_links_go_and_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("words")
    root = tmp_path / "logs"
    folder = logs_of(root, 1)
    (folder / "2").symlink_to(outside)
    (folder / "1" / "link").symlink_to(outside)

    assert not await LogStore(root).delete_some_of(KEY)

    assert not folder.exists()
    folder.parent.mkdir()
    folder.symlink_to(outside)
    assert not await LogStore(root).delete_some_of(KEY)
    assert not folder.is_symlink()
    assert (outside / "precious").read_text() == "words"


async def test_a_log_that_is_written_keeps_all_and_followers_of_what_goes_are_told(tmp_path: Path) -> None:
    store, key = LogStore(tmp_path), run_key(1).task(TaskId("task"))
    async with store.writer(key):
        with pytest.raises(FailedPrecondition, match="being written"):
            await store.delete_some_of(KEY)
    logs_of(tmp_path, 0)
    with store.following(key) as follower:
        await store.delete_some_of(KEY)
        with pytest.raises(GoferError):
            async for _ in follower.blocks(offset_bytes=0):
                pass


async def test_what_is_no_id_leads_nowhere(tmp_path: Path) -> None:
    for name in ("..", "a/b", "", "."):
        with pytest.raises(InvalidInput):
            await LogStore(tmp_path).delete_some_of(
                PipelineKey(namespace=NamespaceId(NAMESPACE), pipeline=PipelineId(name))
            )
