"""Processes by their pid, safe against a pid's reuse by another. Everything here blocks, for microseconds."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NewType

BootId = NewType("BootId", str)
"""Tells the boots of a machine apart: no process of an earlier one is alive."""

_PROC: Final = Path("/proc")
_PAUSE_SECONDS: Final = 0.001
_ENDED_STATES: Final = frozenset("ZXx")
# Fields of /proc/PID/stat, counted from the one after the name in brackets.
_STATE: Final = 0
_PARENT: Final = 1
_GROUP: Final = 2
_SESSION: Final = 3
_START_TICKS: Final = 19


@dataclass(frozen=True, slots=True, kw_only=True)
class Shim:
    """The first process of an attempt, and of its session and group, whose numbers are its pid."""

    boot: BootId
    pid: int
    start_ticks: int


def read_boot_id() -> BootId:
    """Give the id of this boot."""
    return BootId((_PROC / "sys/kernel/random/boot_id").read_text("ascii").strip())


def parse_shim(line: str) -> Shim | None:
    """Read what a shim wrote about itself, `BOOT PID (NAME) STATE ...`; None for half a line."""
    boot, _, stat = line.partition(" ")
    pid = stat.partition(" ")[0]
    fields = _fields(stat)
    if len(fields) <= _START_TICKS or not pid.isdigit() or not fields[_START_TICKS].isdigit():
        return None
    return Shim(boot=BootId(boot), pid=int(pid), start_ticks=int(fields[_START_TICKS]))


def is_alive(shim: Shim, boot: BootId) -> bool:
    """Tell whether that very process lives; one that only waits to be reaped does not."""
    fields = _stat(shim.pid)
    return (
        shim.boot == boot
        and bool(fields)
        and fields[_STATE] not in _ENDED_STATES
        and fields[_START_TICKS] == str(shim.start_ticks)
    )


def signal_group(pid: int, number: signal.Signals) -> None:
    """Send a signal to the group of a living leader; none left is no error, nor only what is another user's."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def end_group(shim: Shim, boot: BootId) -> None:
    """Kill what is left of the group of a shim that is dead.

    The system gives a number to no new process while a process, a group or a session has it. So as long as the number
    is not another process's by now, a session of that number with members no older than the shim is the shim's.
    """
    leader = _stat(shim.pid)
    if shim.boot != boot or (leader and leader[_START_TICKS] != str(shim.start_ticks)):
        return
    if leader or any(_is_member(path, shim) for path in _PROC.iterdir() if path.name.isdigit()):
        signal_group(shim.pid, signal.SIGKILL)


def end_session(leader: int) -> None:
    """Kill all processes of a session, until there are none. Its leader must not be reaped before that."""
    while members := _session_of(leader):
        for pid in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_PAUSE_SECONDS)


def children_of(parent: int) -> list[int]:
    """Give the living children of a process."""
    return [pid for pid, fields in _processes() if fields[_PARENT] == str(parent)]


def _session_of(leader: int) -> list[int]:
    return [pid for pid, fields in _processes() if fields[_SESSION] == str(leader)]


def _processes() -> Iterator[tuple[int, list[str]]]:
    """Give all processes that live, with the fields of their state."""
    for path in _PROC.iterdir():
        fields = _stat(int(path.name)) if path.name.isdigit() else []
        if fields and fields[_STATE] not in _ENDED_STATES:
            yield int(path.name), fields


def _is_member(path: Path, shim: Shim) -> bool:
    fields = _stat(int(path.name))
    number = str(shim.pid)
    return (
        bool(fields)
        and (fields[_GROUP], fields[_SESSION]) == (number, number)
        and int(fields[_START_TICKS]) >= shim.start_ticks
    )


def _stat(pid: int) -> list[str]:
    try:
        return _fields((_PROC / str(pid) / "stat").read_text("utf-8", "replace"))
    except (FileNotFoundError, ProcessLookupError):
        return []


def _fields(stat: str) -> list[str]:
    return stat.rpartition(")")[2].split()
