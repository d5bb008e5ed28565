"""The two files of a log: `<root>/<namespace>/<pipeline>/<run>/<task>`, and its index beside it. Everything blocks."""

import errno
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import ClassVar, Final

from gofer.core.errors import FailedPrecondition, InvalidInput
from gofer.core.ids import PipelineKey, TaskRunKey
from gofer.files import FILE_MODE, FOLDER_MODE, ensure_private_folder
from gofer.logs.index import Place, recorded_bytes, recover, shorten
from gofer_sdk.rules.ids import ID_PATTERN

_WRITE_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_READ_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
_TRIES: Final = 3
_SCAN_BYTES: Final = 64 * 1024
_RUNS_AT_ONCE: Final = 50
_COUNT_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLog:
    """The descriptors of a log that is being written, and where it stood when it was opened."""

    path: Path
    log: int
    index: int
    place: Place

    is_open: ClassVar[bool] = True

    def empty(self) -> None:
        """Begin anew. Raises `OSError`."""
        for descriptor in (self.index, self.log):
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)

    def append(self, parts: Sequence[bytes], place: Place) -> None:
        """Write the bytes, then the record that makes them count. Raises `OSError`, also where the file was removed."""
        if is_deleted(self.log):
            raise _removed()
        _write_all(self.log, b"".join(parts))
        _write_all(self.index, place.encode())

    def finish(self, place: Place) -> None:
        """Have the bytes on the disk, also if the power fails, and shorten the index. Raises `OSError` as `append`."""
        os.fdatasync(self.log)
        if not self._is_at_its_path():
            raise _removed()
        shorten(self.index, place)

    def close(self) -> None:
        """Close both files. Raises `OSError` where the disk tells only now that it did not take something."""
        try:
            os.close(self.log)
        finally:
            os.close(self.index)

    def _is_at_its_path(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self.log), self.path.lstat())
        except FileNotFoundError:
            return False


class NewLog:
    """A log that nobody has written to yet: its files are opened by its first bytes, as many tasks write nothing."""

    place = Place()

    def __init__(self, files: "LogFiles") -> None:
        """Open the files later; what should be in them goes."""
        self._files = files
        self._opened: OpenLog | None = None

    @property
    def is_open(self) -> bool:
        """Whether there are files to close."""
        return self._opened is not None

    def append(self, parts: Sequence[bytes], place: Place) -> None:
        """Write the bytes, then the record that makes them count. Raises `OSError`."""
        if self._opened is None:
            self._opened = self._files.open_for_writing()
            self._opened.empty()
        self._opened.append(parts, place)

    def finish(self, place: Place) -> None:
        """Have the bytes on the disk, also if the power fails, and shorten the index. Raises `OSError`."""
        if self._opened is not None:
            self._opened.finish(place)

    def close(self) -> None:
        """Close the files. Raises `OSError`."""
        if self._opened is not None:
            self._opened.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFiles:
    """Where one log lies. No id holds a dot, so that no task's log is another's index."""

    root: Path
    log: Path

    @classmethod
    def of(cls, root: Path, key: TaskRunKey) -> "LogFiles":
        """Name the files. Raises `InvalidInput` for a key with a part that is no id: none may lead out of the root."""
        if not all(ID_PATTERN.match(part) for part in (key.namespace, key.pipeline, key.task)) or key.run < 0:
            raise InvalidInput(f"{str(key)[:200]!r} names no task run: a part of it is no id")
        return cls(root=root, log=root.joinpath(key.namespace, key.pipeline, str(key.run), key.task))

    @property
    def index(self) -> Path:
        """The index of the log."""
        return self.log.with_name(f"{self.log.name}.index")

    def open_for_writing(self) -> OpenLog:
        """Open both files, made if need be, and cut off what was written behind the last whole record."""
        log = self._made()
        try:
            index = os.open(self.index, _WRITE_FLAGS, FILE_MODE)
            try:
                return OpenLog(path=self.log, log=log, index=index, place=recover(log, index))
            except BaseException:
                os.close(index)
                raise
        except BaseException:
            os.close(log)
            raise

    def _made(self) -> int:
        """Open the log, made if need be with the folders above it: those can go while they are empty."""
        for _ in range(_TRIES):
            with suppress(FileNotFoundError):
                self._make_folders()
                return os.open(self.log, _WRITE_FLAGS, FILE_MODE)
        self._make_folders()
        return os.open(self.log, _WRITE_FLAGS, FILE_MODE)

    def _make_folders(self) -> None:
        _ensure_root(self.root)
        folder = self.root
        for part in self.log.parent.relative_to(self.root).parts:
            folder /= part
            folder.mkdir(FOLDER_MODE, exist_ok=True)

    def remove(self) -> bool:
        """Remove both files, and the folders that are empty then; tell whether there was a log."""
        existed = self.log.exists()
        self.log.unlink(missing_ok=True)
        self.index.unlink(missing_ok=True)
        with suppress(OSError):  # another log is in the folder, or there is none
            for folder in list(self.log.parents)[:3]:
                folder.rmdir()
        return existed

    def recorded_bytes(self, log: int) -> int:
        """Give how much of the opened log stays whatever happens; all of it where it has no index."""
        size_bytes = os.fstat(log).st_size
        index = open_for_reading(self.index)
        if index is None:
            return size_bytes
        try:
            return recorded_bytes(index, size_bytes)
        finally:
            os.close(index)


def folder_of(root: Path, pipeline: PipelineKey) -> Path:
    """Name the folder of a pipeline's logs. Raises `InvalidInput` as `LogFiles.of`."""
    if not all(ID_PATTERN.match(part) for part in (pipeline.namespace, pipeline.pipeline)):
        raise InvalidInput(f"{str(pipeline)[:200]!r} names no pipeline: a part of it is no id")
    return root / pipeline.namespace / pipeline.pipeline


def remove_some_runs(folder: Path) -> bool:
    """Remove what is in a pipeline's folder, some runs at a time, then the folder; tell whether there may be more.

    A link is removed, never followed. Raises `OSError`.
    """
    if folder.is_symlink():
        folder.unlink()
        return False
    try:
        with os.scandir(folder) as found:
            runs = list(islice(found, _RUNS_AT_ONCE))
    except FileNotFoundError:
        return False
    for run in runs:
        if run.is_dir(follow_symlinks=False):
            shutil.rmtree(run.path)
        else:
            Path(run.path).unlink()
    if len(runs) == _RUNS_AT_ONCE:
        return True
    folder.rmdir()
    with suppress(OSError):  # there are other pipelines in the namespace
        folder.parent.rmdir()
    return False


def open_for_reading(path: Path) -> int | None:
    """Open a log; None where there is none."""
    try:
        return os.open(path, _READ_FLAGS)
    except FileNotFoundError:
        return None


def read_at(descriptor: int, size_bytes: int, offset_bytes: int) -> bytes:
    """Give up to so many bytes from an offset on; none beyond the end, however far, where the system would complain."""
    if size_bytes <= 0 or offset_bytes >= os.fstat(descriptor).st_size:
        return b""
    return os.pread(descriptor, size_bytes, offset_bytes)


def is_deleted(descriptor: int) -> bool:
    """Tell whether an opened file has no name any more."""
    return os.fstat(descriptor).st_nlink == 0


def offset_of_last_lines(descriptor: int, size_bytes: int, lines: int) -> int:
    """Give the offset at which the last `lines` lines of the first `size_bytes` bytes begin, reading backwards.

    What stands behind the last newline counts as a line.
    """
    end, wanted = size_bytes, lines
    if wanted <= 0:
        return end
    if end and os.pread(descriptor, 1, end - 1) == b"\n":
        end -= 1  # the newline that ends the last line separates nothing
    while end > 0:
        begin = max(0, end - _SCAN_BYTES)
        block = os.pread(descriptor, end - begin, begin)
        found = block.count(b"\n")
        if found >= wanted:
            return begin + _behind_last(block, wanted)
        wanted -= found
        end = begin
    return 0


def count_newlines(descriptor: int, until_bytes: int) -> int:
    """Count the newlines in the first `until_bytes` bytes."""
    count = at = 0
    while at < until_bytes:
        block = os.pread(descriptor, min(_COUNT_BYTES, until_bytes - at), at)
        if not block:
            break
        count += block.count(b"\n")
        at += len(block)
    return count


def _ensure_root(root: Path) -> None:
    """Make the root if it is missing. What the disk refuses is `OSError`: it may take it later."""
    try:
        ensure_private_folder(root)
    except FailedPrecondition as error:
        if isinstance(error.__cause__, OSError):
            raise error.__cause__ from None
        raise


def _removed() -> OSError:
    # Whoever tries again opens a new file, and the engine still has all that was in this one.
    return OSError(errno.ENOENT, "its file was removed while it was written")


def _behind_last(block: bytes, count: int) -> int:
    """Give the offset behind the newline that is `count`-th from the end."""
    at = len(block)
    for _ in range(count):
        at = block.rindex(b"\n", 0, at)
    return at + 1


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
