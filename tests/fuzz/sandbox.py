"""A process that can do no harm: it writes in one folder, starts no program and reaches nobody.

Python asks a hook of ours before each such deed; a hook can't be taken back, so that this is for a process that does
nothing else.
"""

import asyncio
import errno
import os
import sys
from pathlib import Path
from typing import Final

WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
NEVER: Final = frozenset(
    {
        *(
            "subprocess.Popen",
            "os.exec",
            "os.fork",
            "os.forkpty",
            "os.posix_spawn",
            "os.system",
            "os.kill",
            "pty.spawn",
        ),
        *(
            "socket.connect",
            "socket.bind",
            "socket.sendto",
            "socket.getaddrinfo",
            "os.setxattr",
            "os.chown",
            "os.mknod",
        ),
    }
)
CHANGING: Final = frozenset(
    {
        *("os.mkdir", "os.rmdir", "os.remove", "os.rename", "os.link", "os.symlink", "os.truncate", "os.chmod"),
        *("os.utime", "sqlite3.connect", "shutil.rmtree", "shutil.move", "shutil.copyfile", "os.chdir"),
    }
)
PLACES: Final = ("/dev/", "/proc/", "/sys/")  # some have no end, some wait for ever


def enter(folder: Path) -> None:
    """Have this process write below one folder only, from now on, and wait for nothing."""
    sys.addaudithook(_Guard(folder.resolve()))
    asyncio.sleep = _no_sleep  # type: ignore[assignment]  # one of its two signatures is enough here


_SLEEP: Final = asyncio.sleep


async def _no_sleep(delay: float) -> None:
    await _SLEEP(min(delay, 0))


class _Guard:
    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in NEVER:
            raise OSError(errno.ECONNREFUSED if "socket" in event else errno.EACCES, f"{event} is not for a test")
        if event == "open":
            path, _, flags = arguments
            if (isinstance(flags, int) and flags & WRITING) or str(path).startswith(PLACES):
                self._check(path)
        elif event in CHANGING:
            for path in arguments[: 2 if event in {"os.rename", "os.link", "shutil.move", "shutil.copyfile"} else 1]:
                self._check(path)

    def _check(self, path: object) -> None:
        if isinstance(path, str | bytes | os.PathLike):
            where = os.path.realpath(os.fsdecode(path))
            if where != self._folder and not where.startswith(f"{self._folder}{os.sep}"):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), where)
