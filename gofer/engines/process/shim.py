"""What starts a task's process: a few lines of `sh` that outlive this server.

The shim is the first process of its own session and process group. It says who it is, takes the attempt's claim (a file
that only one can make, so that an attempt never starts twice, wherever this server is killed), runs the command with
both streams into the spool, writes the exit status as one line, and kills what is left of its group. On a full
disk it gives the claim back, so that the start can be tried again, and keeps the status until there is room for it.

The task's environment is the shim's own, as `sh` passes on what it was given. What a shell would drop, change or obey
itself (`my.key`, `PWD`, `LD_PRELOAD`, ...) goes around it: then a short Python program reads the environment from its
file and becomes the command.
"""

import contextlib
import errno
import os
import re
import select
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gofer.core.errors import EngineUnavailable, FailedPrecondition

# Signals other than KILL end the command, never the shim: it must live to write the status. The pipe's reader may be
# gone when the ready byte is written, and a command that ignores SIGPIPE from birth would not be what was asked for.
_SHIM: Final = r"""
__gofer_d=$1 __gofer_mv=$2 __gofer_sleep=$3 __gofer_files=$4 __gofer_full=
shift 4
cd "$__gofer_d/work" || exit
unset PWD OLDPWD
trap : HUP INT QUIT ABRT USR1 USR2 PIPE ALRM TERM
umask 077
read -r __gofer_boot </proc/sys/kernel/random/boot_id && read -r __gofer_stat </proc/$$/stat || exit
echo "$__gofer_boot $__gofer_stat" >>"$__gofer_d/shims" || exit
set -C
{ echo $$ || __gofer_full=1; } >"$__gofer_d/claim" || exit
set +C
if [ "$__gofer_full" ]; then
  "$__gofer_mv" "$__gofer_d/claim" "$__gofer_d/claim.full"
  exit
fi
(
  [ "$__gofer_files" = 0 ] || ulimit -S -n "$__gofer_files"
  umask 022
  trap '' PIPE
  echo >&3
  trap - PIPE
  exec "$@" >>"$__gofer_d/log" 2>&1 3>&-
)
__gofer_code=$?
trap '' HUP INT QUIT ABRT USR1 USR2 PIPE ALRM TERM
until echo $__gofer_code >"$__gofer_d/status"; do
  [ -d "$__gofer_d" ] && "$__gofer_sleep" 1 || break
done
kill -KILL 0
"""
_LAUNCHER: Final = """
import os, signal, sys
path = sys.argv[1]
with open(path, "rb") as file:
    environment = dict(entry.split(b"=", 1) for entry in file.read().split(b"\\0") if entry)
os.unlink(path)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
os.execvpe(sys.argv[2], sys.argv[2:], environment)
"""
_SAFE_KEY: Final = re.compile(
    r"(?!__gofer_|LD_|BASH|ENV$|IFS$|PWD$|OLDPWD$|PPID$|OPTIND$|LINENO$|SHELLOPTS$|POSIXLY_CORRECT$|PS[1-4]$|_$)"
    r"[A-Za-z_][A-Za-z0-9_]*\Z"
)
_UNTRAPPABLE: Final = (signal.SIGKILL, signal.SIGSTOP)
_READY_FD: Final = 3
_READY_TIMEOUT_MS: Final = 30_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The programs that a shim needs, the descriptors that it must not inherit, and how many its command may open.

    That many are the soft limit; 0 leaves this server's own, which is raised for the sake of many tasks.
    """

    sh: str
    mv: str
    sleep: str
    leaked: tuple[int, ...]
    open_files: int

    @classmethod
    def found(cls, *, open_files: int) -> "Tools":
        """Look for them once. Raises `EngineUnavailable` where one is missing."""
        sh, mv, sleep = (shutil.which(name, path=os.defpath) for name in ("sh", "mv", "sleep"))
        if sh is None or mv is None or sleep is None:
            raise EngineUnavailable(
                "the process engine needs the programs sh, mv and sleep, and one of them is missing"
            )
        descriptors = (int(name) for name in os.listdir("/proc/self/fd"))  # noqa: PTH208 - numbers, not paths
        return cls(
            sh=sh,
            mv=mv,
            sleep=sleep,
            leaked=tuple(fd for fd in descriptors if fd >= _READY_FD and _inheritable(fd)),
            open_files=open_files,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Launched:
    """A shim that took the claim, with nothing between it and the command. `pidfd` is the receiver's."""

    pid: int
    pidfd: int
    has_environment: bool  # else the command still needs the file of it


def launch(folder: Path, argv: tuple[str, ...], environment: Mapping[str, str], tools: Tools) -> Launched | None:
    """Start a shim and wait until it stands before the command; None where it did not get the claim, or is over.

    Raises `FailedPrecondition` where there is no such command or it is too long, `EngineUnavailable` where no process
    can be made now.
    """
    _check_command(argv[0], folder / "work", environment.get("PATH", os.defpath))
    direct = all(_SAFE_KEY.match(key) for key in environment)
    if not direct:
        argv = (sys.executable, "-I", "-S", "-c", _LAUNCHER, str(folder / "environ"), *argv)
    reader, writer = os.pipe()
    try:
        try:
            own = (str(folder), tools.mv, tools.sleep, str(tools.open_files))
            words = ("sh", "-c", _SHIM, "gofer-shim", *own, *argv)
            pid = _spawn(words, environment if direct else {"PATH": os.defpath}, tools, ready=writer)
        finally:
            os.close(writer)
        if _is_ready(reader):
            # Whoever followed it may have seen its end and reaped it already: then it is theirs.
            with contextlib.suppress(ProcessLookupError):
                return Launched(pid=pid, pidfd=os.pidfd_open(pid), has_environment=direct)
            return None
    finally:
        os.close(reader)
    with contextlib.suppress(ChildProcessError):  # somebody who followed it has seen its end first
        os.waitpid(pid, 0)
    return None


def _spawn(words: tuple[str, ...], environment: Mapping[str, str], tools: Tools, *, ready: int) -> int:
    actions: list[tuple[int, int] | tuple[int, int, int] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_CLOSE, fd) for fd in tools.leaked if _inheritable(fd)
    ]
    actions += [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
    actions.append((os.POSIX_SPAWN_DUP2, ready, _READY_FD))
    try:
        return os.posix_spawn(
            tools.sh,
            words,
            environment,
            file_actions=actions,
            setsid=True,
            setsigmask=(),
            setsigdef=signal.valid_signals().difference(_UNTRAPPABLE),
        )
    except OSError as error:
        if error.errno == errno.E2BIG:
            message = "the command and its environment are larger than this system allows; pass large values in files"
            raise FailedPrecondition(message) from error
        raise EngineUnavailable(f"no process can be started now: {error.strerror}") from error


def _is_ready(reader: int) -> bool:
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    if not poll.poll(_READY_TIMEOUT_MS):
        raise EngineUnavailable("the process's shim did not come up in time")
    return bool(os.read(reader, 1))


def _check_command(command: str, folder: Path, path: str) -> None:
    where = str(folder / command) if "/" in command else command
    if shutil.which(where, path=path) is None:
        searched = "it is no executable file" if "/" in command else f"it is not on the PATH {path}"
        raise FailedPrecondition(
            f"there is no command {command}: {searched}; the process engine runs what this machine has", command=command
        )


def _inheritable(fd: int) -> bool:
    try:
        return os.get_inheritable(fd)
    except OSError:  # closed meanwhile
        return False
