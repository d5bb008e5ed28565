import json
from pathlib import Path

import pytest

from gofer.backups.manifest import Copied, Manifest, copy_file, look_at, read_manifest
from gofer.config.settings import ObjectStoreSettings, Settings
from gofer.core.errors import FailedPrecondition

MANIFEST = Manifest(
    version="1.0.0",
    made_at="2026-01-02T03:04:05+00:00",
    instance="0123456789ab",
    object_store="sqlite",
    secret_store="sqlite",
    files={"gofer.db": Copied(size_bytes=3, sha256="ab"), "logs/default/p/1/t": Copied(size_bytes=4, sha256="cd")},
)


def written(folder: Path, change: dict[str, object]) -> Path:
    (folder / "manifest.json").write_text(json.dumps(MANIFEST.to_dict() | change))
    return folder


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert MANIFEST == read_manifest(written(tmp_path, {}))
    assert MANIFEST.size_bytes == 7


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 2}, "newer Gofer"),
        ({"files": {"../out": {"size_bytes": 1, "sha256": ""}}}, "leads out"),
        ({"files": {"/etc/passwd": {"size_bytes": 1, "sha256": ""}}}, "leads out"),
        ({"files": {"other": {"size_bytes": 1, "sha256": ""}}}, "no part"),
        ({"files": {"": {"size_bytes": 1, "sha256": ""}}}, "leads out"),
        ({"files": {"gofer.db": {}}}, "damaged"),
        ({"files": 3}, "damaged"),
    ],
)
def test_a_manifest_is_not_trusted(tmp_path: Path, change: dict[str, object], words: str) -> None:
    with pytest.raises(FailedPrecondition, match=words):
        read_manifest(written(tmp_path, change))


@pytest.mark.parametrize("text", ["", "[]", "3", "{}", "\x00", '{"format": 1}'])
def test_what_is_no_manifest_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)

    with pytest.raises(FailedPrecondition, match="damaged"):
        read_manifest(tmp_path)


def test_a_folder_without_one_is_no_backup(tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match="not finished"):
        read_manifest(tmp_path)


def test_a_backup_of_another_engine_is_refused() -> None:
    with pytest.raises(FailedPrecondition, match="restore it with 'sqlite'"):
        MANIFEST.check_engines(Settings(object_store=ObjectStoreSettings(engine="filesystem")))


def test_a_copy_is_its_owners_alone_with_all_its_folders(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"abc")

    copied = copy_file(tmp_path / "source", tmp_path / "a" / "b" / "copy")

    assert copied == look_at(tmp_path / "source") == look_at(tmp_path / "a" / "b" / "copy")
    for path in (tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "copy"):
        assert path.stat().st_mode & 0o077 == 0


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "source").symlink_to("/etc/hostname")

    with pytest.raises(OSError, match="symbolic"):
        copy_file(tmp_path / "source", tmp_path / "copy")
