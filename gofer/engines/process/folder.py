"""The folder of one attempt: all that the process engine knows about it, on disk, readable at any moment.

| file | written by | meaning |
|---|---|---|
| `spec.json` | `create` | attempt, name, labels and command, for people too |
| `environ` | `create` | the environment, as `/proc/PID/environ` has it; gone once the command has it |
| `work/` | `create` | the command's working folder and home |
| `log` | the command | both streams, in arrival order |
| `shims` | each shim | boot id and `/proc/PID/stat` of whoever may take the claim |
| `claim` | one shim, or who stops or removes what never ran | its maker's pid; nobody else may start this attempt |
| `status` | the shim | the exit code and a newline, which says that it is whole |

A folder without `claim` is a created container; with a claim and a living shim it runs; otherwise it has ended. The
times are those of `claim` and `status`. Everything here blocks: call it in a thread.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gofer.core.errors import FailedPrecondition
from gofer.core.ids import AttemptId, InstanceId, NamespaceId, PipelineId, RunId, TaskId, TaskRunKey
from gofer.engines.process.group import BootId, Shim, end_group, is_alive, parse_shim
from gofer.engines.protocols import ContainerSpec, ContainerState, ContainerStatus
from gofer.files import FILE_MODE, FOLDER_MODE

KILLED: Final = 128 + signal.SIGKILL
_NEW: Final = ".new-"
_GONE: Final = ".gone-"
_PAUSE_SECONDS: Final = 0.001
_NAME: Final = re.compile(r"([A-Za-z0-9_-]+)\.(\w{3,32})\.(\w{3,32})\.([0-9]+)\.(\w{3,32})\.([0-9]+)\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the folder says at one moment; `shim` is there while the container runs."""

    status: ContainerStatus
    shim: Shim | None = None


def folder_name(attempt: AttemptId) -> str:
    """Give the attempt's folder name. No part holds the dot that separates them."""
    key = attempt.key
    return f"{attempt.instance}.{key.namespace}.{key.pipeline}.{key.run}.{key.task}.{attempt.number}"


def attempt_of(name: str) -> AttemptId | None:
    """Read a folder name back, or None for what is no attempt's."""
    match = _NAME.match(name)
    if match is None:
        return None
    instance, namespace, pipeline, run, task, number = match.groups()
    key = TaskRunKey(
        namespace=NamespaceId(namespace), pipeline=PipelineId(pipeline), run=RunId(int(run)), task=TaskId(task)
    )
    return AttemptId(key=key, number=int(number), instance=InstanceId(instance))


def make_folder(root: Path, spec: ContainerSpec, *, argv: tuple[str, ...], environment: Mapping[str, str]) -> None:
    """Make the attempt's folder, whole or not at all; one that is there stays as it is."""
    final = root / folder_name(spec.attempt)
    if final.exists():
        return
    temporary = root / f"{_NEW}{os.urandom(8).hex()}"
    temporary.mkdir(FOLDER_MODE)
    try:
        (temporary / "work").mkdir(FOLDER_MODE)
        described = {"attempt": str(spec.attempt), "name": spec.name, "labels": dict(spec.labels), "argv": argv}
        entries = b"".join(os.fsencode(f"{key}={value}") + b"\0" for key, value in environment.items())
        _write(temporary / "spec.json", json.dumps(described).encode())
        _write(temporary / "environ", entries)
        _write(temporary / "log", b"")
        temporary.rename(final)
    except OSError:
        if not final.exists():  # else a second `create` of the attempt was faster
            raise
    finally:
        if temporary.exists():
            remove_tree(temporary)


def clear_leftovers(root: Path) -> tuple[Path, ...]:
    """Remove what a crash left half made or half removed; give what can't be removed, as it is another user's."""
    found = [path for path in root.iterdir() if path.name.startswith((_NEW, _GONE))]
    for path in found:
        remove_tree(path)
    return tuple(path for path in found if path.exists())


def list_attempts(root: Path, instance: InstanceId) -> tuple[AttemptId, ...]:
    """Give the instance's attempts that have a folder."""
    found = (attempt_of(path.name) for path in root.iterdir())
    return tuple(each for each in found if each is not None and each.instance == instance)


class AttemptFolder:
    """Reads and changes one attempt's folder."""

    def __init__(self, path: Path, boot: BootId) -> None:
        self.path = path
        self._boot = boot

    @property
    def work(self) -> Path:
        """The command's working folder."""
        return self.path / "work"

    @property
    def log(self) -> Path:
        """The spool of both streams."""
        return self.path / "log"

    def command(self) -> tuple[str, ...]:
        """Give the command line that was kept. Raises `FileNotFoundError` where the folder is gone.

        Raises `FailedPrecondition` where a failure of the power has left nothing of it.
        """
        kept = (self.path / "spec.json").read_bytes().strip(b"\0")
        if not kept:
            raise self._lost()
        return tuple(json.loads(kept)["argv"])

    def environment(self) -> dict[str, str]:
        """Give the environment that was kept; `FileNotFoundError` once the command has it. Else raises as `command`."""
        entries = [os.fsdecode(entry) for entry in (self.path / "environ").read_bytes().split(b"\0") if entry]
        if not entries:  # there is a PATH at least
            raise self._lost()
        return dict(entry.split("=", 1) for entry in entries)

    def forget_environment(self) -> None:
        """Remove the kept environment: the command has it."""
        (self.path / "environ").unlink(missing_ok=True)

    def look(self) -> Seen | None:
        """Tell the container's state, or None where there is no folder.

        What a killed shim left running is killed too: nobody could tell its exit code any more.
        """
        ended = self._ended()
        if ended is not None:
            return Seen(status=ended)
        claimed_at = _time_of(self.path / "claim")
        if claimed_at is None:
            created = Seen(status=ContainerStatus(state=ContainerState.CREATED))
            return created if self.path.exists() else None
        return self._look_at_claimed(claimed_at)

    def _look_at_claimed(self, claimed_at: datetime) -> Seen | None:
        holder = self._holder()
        if holder is not None and self.is_alive(holder):
            return Seen(status=ContainerStatus(state=ContainerState.RUNNING, started_at=claimed_at), shim=holder)
        ended = self._ended()  # it may have ended since the first look
        if ended is None and _time_of(self.path / "claim") is None:  # given back: the disk had no room for it
            return self.look()
        if ended is None:
            if holder is not None:
                end_group(holder, self._boot)
            started_at, ended_at = (claimed_at, None) if holder is not None else (None, claimed_at)
            ended = ContainerStatus(
                state=ContainerState.EXITED, exit_code=KILLED, started_at=started_at, ended_at=ended_at
            )
        return Seen(status=ended) if self.path.exists() else None

    def is_alive(self, shim: Shim) -> bool:
        """Tell whether the shim lives."""
        return is_alive(shim, self._boot)

    def claim(self) -> bool:
        """Take the claim, so that no shim gets it any more: the attempt counts as killed then.

        False where somebody has it, or the folder is gone.
        """
        try:
            _write(self.path / "claim", b"gofer\n")
        except (FileExistsError, FileNotFoundError):
            return False
        self.forget_environment()
        return True

    def remove_if_ended(self) -> bool:
        """Remove the folder where the attempt has ended; tell whether there is none now."""
        seen = self.look()
        if seen is not None and seen.status.state is ContainerState.EXITED:
            self.remove()
        return seen is None or seen.status.state is ContainerState.EXITED

    def remove(self) -> None:
        """Remove the folder; done where there is none. The claim must be taken, and nothing of it may run."""
        gone = self.path.with_name(f"{_GONE}{os.urandom(8).hex()}")
        with contextlib.suppress(FileNotFoundError):
            # Renamed first: a shim that was just started must find nothing under the old name, least of all no claim.
            self.path.rename(gone)
            remove_tree(gone)

    def _lost(self) -> FailedPrecondition:
        return FailedPrecondition(
            f"what {self.path.name} was to be started with is not on the disk: did the power fail? start the run again",
            folder=self.path.name,
        )

    def _ended(self) -> ContainerStatus | None:
        try:
            text = (self.path / "status").read_text("ascii")
        except FileNotFoundError:
            return None
        if not text.endswith("\n"):  # it is being written, or there is no room for it
            return None
        text = text.strip()
        return ContainerStatus(
            state=ContainerState.EXITED,
            exit_code=int(text) if text.isdigit() else KILLED,
            started_at=_time_of(self.path / "claim"),
            ended_at=_time_of(self.path / "status"),
        )

    def _holder(self) -> Shim | None:
        """Give the shim that has the claim, or None where somebody else has it or it died while taking it."""
        while True:
            name = _read(self.path / "claim")
            shims = [shim for shim in map(parse_shim, _read(self.path / "shims").splitlines()) if shim is not None]
            if name.endswith("\n"):
                return next((shim for shim in shims if str(shim.pid) == name.strip()), None)
            # The claim is made and not written yet. Whoever lives of those who tried has it, or is about to leave.
            if not any(self.is_alive(shim) for shim in shims):
                return None
            time.sleep(_PAUSE_SECONDS)


def remove_tree(path: Path) -> None:
    """Remove a folder of a task, also parts of it that the task closed to its own user; none is no error.

    What a process that is still alive writes meanwhile may stay behind, and what another user made in it (the task may
    have run `sudo`, or a container with a folder of this one); `clear_leftovers` tries it again at the next start.
    """
    with contextlib.suppress(FileNotFoundError):
        try:
            shutil.rmtree(path)
        except PermissionError:
            _open_folders(path)
            shutil.rmtree(path, ignore_errors=True)
        except OSError:
            shutil.rmtree(path, ignore_errors=True)


def _open_folders(path: Path) -> None:
    for folder in _folders(path):
        with contextlib.suppress(PermissionError):  # another user's
            folder.chmod(FOLDER_MODE)


def _folders(path: Path) -> Iterator[Path]:
    yield path
    for parent, names, _ in os.walk(path):
        yield from (Path(parent, name) for name in names if not Path(parent, name).is_symlink())


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except FileNotFoundError:
        return ""


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _time_of(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except FileNotFoundError:
        return None
