"""Files that only this server's user may read: folders 0700, files 0600, never a symbolic link, never another user's.

Everything here blocks; call it before the loop serves anything, or in a thread.
"""

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gofer.core.errors import FailedPrecondition

FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
LOCK_NAME: Final = "gofer.lock"
UNFINISHED: Final = "restore.unfinished"
_OTHERS: Final = 0o077


def ensure_private_folder(folder: Path) -> None:
    """Make `folder` (and what is above it) if it is missing; otherwise check that it is ours alone.

    `FailedPrecondition` names the fault and the fix: a symbolic link, no folder, another user's, open to others.
    """
    with contextlib.suppress(FileExistsError), _explained(folder):
        folder.mkdir(mode=FOLDER_MODE, parents=True)
    _check_private_folder(folder)


def check_folder(folder: Path) -> None:
    """Raise as `ensure_private_folder` would, and where nothing could be written there; make nothing."""
    there = next((each for each in (folder, *folder.parents) if os.path.lexists(each)), folder)
    if there == folder:
        _check_private_folder(folder)
    elif not there.is_dir():
        raise FailedPrecondition(f"{there} is not a folder, so that {folder} can't be made", path=str(folder))
    if not os.access(there, os.W_OK | os.X_OK):
        raise FailedPrecondition(
            f"this user (uid {os.geteuid()}) may write nothing in {there}"
            + (": give it to that user" if there == folder else f", so that the folder {folder} can't be made"),
            path=str(folder),
        )


def _check_private_folder(folder: Path) -> None:
    with _explained(folder):
        info = folder.lstat()
    _check_owner(folder, info)
    if not stat.S_ISDIR(info.st_mode):
        raise FailedPrecondition(f"{folder} is not a folder; name a folder of Gofer's own", path=str(folder))
    if info.st_mode & stat.S_ISVTX and info.st_mode & _OTHERS:  # such as /var/tmp: no advice to close it
        raise FailedPrecondition(
            f"the folder {folder} is there for all users of this machine; name a folder of Gofer's own",
            path=str(folder),
        )
    if info.st_mode & _OTHERS:
        raise FailedPrecondition(
            f"the folder {folder} is open to other users (mode {stat.S_IMODE(info.st_mode):04o}); "
            f"give Gofer a folder of its own, or run: chmod 700 {folder}",
            path=str(folder),
        )


def ensure_private_file(path: Path) -> None:
    """Make an empty file if there is none; otherwise check that it is ours, and close it to others.

    `FailedPrecondition` for a symbolic link, another user's file, or what is no regular file.
    """
    os.close(_open_private(path, os.O_RDWR | os.O_CREAT))


def read_private_file(path: Path) -> bytes | None:
    """Give the content of a file of ours, None if there is none; checks as `ensure_private_file`."""
    try:
        descriptor = _open_private(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def write_private_file(path: Path, content: bytes) -> None:
    """Replace the file at `path` by one with `content`, whole or not at all, also when the power fails."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    temporary.unlink(missing_ok=True)
    with _explained(path):
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def refuse_unfinished(folder: Path) -> None:
    """Raise `FailedPrecondition` where a restore into a data folder did not come to its end."""
    if (folder / UNFINISHED).exists():
        raise FailedPrecondition(
            f"a restore into {folder} was not finished: remove what is in it, and restore again", path=str(folder)
        )


@contextlib.contextmanager
def data_folder_lock(folder: Path) -> Iterator[None]:
    """Hold the data folder for this server alone; as `folder_lock`."""
    with folder_lock(folder, what="data folder", setting="server.storage_path"):
        yield


@contextlib.contextmanager
def folder_lock(folder: Path, *, setting: str, what: str = "folder") -> Iterator[None]:
    """Hold `folder` for this server alone, for the length of the block or until the process is gone.

    `FailedPrecondition` names the folder, the process that holds it, and the `setting` that names another.
    """
    descriptor = _open_private(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            raise FailedPrecondition(
                f"another Gofer server (process {holder or 'unknown'}) uses the {what} {folder}; "
                f"stop that one, or give this one another {setting}",
                path=str(folder),
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        yield
    finally:
        os.close(descriptor)  # which also lets go of the lock


def _open_private(path: Path, flags: int) -> int:
    with _explained(path):
        if path.is_symlink():
            raise FailedPrecondition(f"{path} is a symbolic link; name the file itself", path=str(path))
        # NOFOLLOW closes the gap after the check above; NONBLOCK, so that a pipe put there can't hold the server up.
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, FILE_MODE)
    try:
        _close_to_others(path, descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _close_to_others(path: Path, descriptor: int) -> None:
    info = os.fstat(descriptor)
    _check_owner(path, info)
    if not stat.S_ISREG(info.st_mode):
        raise FailedPrecondition(f"{path} is not a regular file", path=str(path))
    if info.st_mode & _OTHERS:
        os.fchmod(descriptor, FILE_MODE)


def _check_owner(path: Path, info: os.stat_result) -> None:
    if stat.S_ISLNK(info.st_mode):
        raise FailedPrecondition(f"{path} is a symbolic link; name the folder itself", path=str(path))
    if info.st_uid != os.geteuid():
        raise FailedPrecondition(
            f"{path} belongs to another user (uid {info.st_uid}, this server runs as {os.geteuid()}); "
            "name a path of this server's own user",
            path=str(path),
        )


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (FileExistsError, FileNotFoundError):
        raise
    except OSError as error:
        raise FailedPrecondition(f"can't use {path}: {error.strerror}", path=str(path)) from error


def sync_folder(folder: Path) -> None:
    """Have what was made, renamed or removed in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
