import os
import stat
from pathlib import Path

import pytest

from gofer.core.errors import FailedPrecondition
from gofer.files import (
    data_folder_lock,
    ensure_private_file,
    ensure_private_folder,
    read_private_file,
    write_private_file,
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_missing_folder_is_made_for_this_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "data"

    ensure_private_folder(folder)
    ensure_private_folder(folder)

    assert mode(folder) == 0o700


def test_a_folder_that_others_may_enter_is_refused_with_the_command_that_mends_it(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)

    with pytest.raises(FailedPrecondition, match=f"chmod 700 {folder}"):
        ensure_private_folder(folder)

    assert mode(folder) == 0o755


def test_a_folder_for_everybody_is_refused_without_advice_to_close_it(tmp_path: Path) -> None:
    """As root, `chmod 700 /var/tmp` would have been the advice."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    folder.chmod(0o1777)

    with pytest.raises(FailedPrecondition, match="for all users") as caught:
        ensure_private_folder(folder)

    assert "chmod" not in caught.value.message


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()

    with pytest.raises(FailedPrecondition, match="not a folder"):
        ensure_private_folder(path)
    with pytest.raises(FailedPrecondition, match="Not a directory"):
        ensure_private_folder(path / "below")


def test_symbolic_links_are_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real-file").touch()
    (tmp_path / "file-link").symlink_to(tmp_path / "real-file")

    with pytest.raises(FailedPrecondition, match="symbolic link"):
        ensure_private_folder(tmp_path / "link")
    with pytest.raises(FailedPrecondition, match="symbolic link"):
        ensure_private_file(tmp_path / "file-link")
    with pytest.raises(FailedPrecondition, match="symbolic link"):
        read_private_file(tmp_path / "file-link")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_belongs_to_another_user_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o700)
    file = tmp_path / "file"
    file.touch()
    os.chown(folder, 12345, -1)
    os.chown(file, 12345, -1)

    with pytest.raises(FailedPrecondition, match="another user"):
        ensure_private_folder(folder)
    with pytest.raises(FailedPrecondition, match="another user"):
        ensure_private_file(file)


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(FailedPrecondition, match="not a regular file"):
        ensure_private_file(tmp_path / "pipe")


def test_a_file_is_made_private_and_one_that_is_open_to_others_is_closed(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.write_text("kept")
    old.chmod(0o644)

    ensure_private_file(old)
    ensure_private_file(tmp_path / "new")

    assert old.read_text() == "kept"
    assert {mode(old), mode(tmp_path / "new")} == {0o600}


def test_writing_replaces_the_file_whole_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "key"

    assert read_private_file(path) is None
    write_private_file(path, b"one")
    write_private_file(path, b"two")

    assert read_private_file(path) == b"two"
    assert mode(path) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["key"]


def test_a_data_folder_serves_one_server_at_a_time(tmp_path: Path) -> None:
    refused = pytest.raises(FailedPrecondition, match=f"process {os.getpid()}.*{tmp_path}")
    with data_folder_lock(tmp_path), refused, data_folder_lock(tmp_path):
        pass

    with data_folder_lock(tmp_path):
        pass
