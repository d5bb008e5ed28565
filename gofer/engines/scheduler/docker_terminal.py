"""Commands on a terminal in a running container: what Docker calls exec.

Docker ends no such command because its client has gone. So each gets a mark into its environment, which all that it
starts inherits, and what bears the mark is killed from inside the container when the terminal is left. Where the server
was killed before that, the next one kills what bears such a mark and not its own, when it takes the container up again.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from enum import Enum, auto
from typing import Final

import structlog

from gofer.core.errors import FailedPrecondition, GoferError, NotFound
from gofer.engines.protocols import ContainerHandle
from gofer.engines.scheduler.docker_client import DockerClient, HijackedStream
from gofer.engines.scheduler.docker_convert import Json, int_of, object_of, text_of, texts_of
from gofer.engines.terminals import TerminalSize, TerminalSpec
from gofer.lifecycle import OwnedTasks

_log = structlog.get_logger(__name__)

MARK: Final = "GOFER_ATTACHED"
"""The variable that marks a command on a terminal."""

_END_WITHIN: Final = timedelta(seconds=10)
_LOOK_WITHIN: Final = timedelta(seconds=5)
_PAUSE_SECONDS: Final = 0.05
_TRIES: Final = 100  # until Docker knows how a command has ended that it gave the end of
_LOOKS_TO_BEGIN: Final = 40  # for a command whose start is under way
_LOOKS_TO_END: Final = 10  # for one that was killed, before that is done again
# Kills what bears the first mark and not the second. Processes that are killed may have started others meanwhile.
# `$(...)` takes the NUL bytes out.
_KILL: Final = r"""
tries=0 found=1
while [ $found = 1 ] && [ $tries -lt 50 ]; do
  found=0 tries=$((tries + 1))
  for each in /proc/[0-9]*; do
    case "$(cat "$each/environ" 2>/dev/null)" in
      *"$2"*) ;;
      *"$1"*) found=1; kill -9 "${each#/proc/}" ;;
    esac
  done 2>/dev/null
done
"""


class _Stage(Enum):
    """How far a command is, as Docker tells it."""

    MADE = auto()  # its start may be under way: Docker answers to that before it begins
    RUNNING = auto()
    ENDED = auto()


class Terminals:
    """The terminals of one process, whose commands bear marks that begin alike."""

    def __init__(self) -> None:
        self._mark = f"{MARK}={secrets.token_hex(16)}"
        self._looked_at: set[ContainerHandle] = set()

    @asynccontextmanager
    async def opened(
        self, client: DockerClient, handle: ContainerHandle, spec: TerminalSpec, *, tasks: OwnedTasks
    ) -> AsyncIterator["DockerTerminal"]:
        """Open a terminal in a running container. Raises `NotFound`, and `FailedPrecondition` where it does not run.

        It is ended by one of the tasks, which goes on where who leaves it is cancelled meanwhile.
        """
        mark = f"{self._mark}.{secrets.token_hex(16)}"
        command = await _made(client, handle, list(spec.command), [*_pairs(spec), mark], tty=True)
        try:
            async with client.hijacked(f"exec/{command}/start", {"Detach": False, "Tty": True}) as stream:
                terminal = DockerTerminal(client, command, stream)
                await terminal.resize(spec.size)
                yield terminal
        finally:
            await asyncio.shield(tasks.spawn(_end(client, handle, command, mark), name=f"end a terminal in {handle}"))

    async def end_left(self, client: DockerClient, handle: ContainerHandle) -> None:
        """Kill what an earlier process has left on terminals in a container, at the first call for it; raises nothing.

        Where a program of the task could bear such a mark, since its container has one, nothing is killed.
        """
        if handle in self._looked_at:
            return
        try:
            async with asyncio.timeout(_LOOK_WITHIN.total_seconds()):
                inspected = await client.get(f"containers/{handle}/json")
                if not _has_mark(inspected) and await _has_running(client, inspected):
                    _log.info("terminals that an earlier server has left are ended", container=handle)
                    await _kill(client, handle, f"{MARK}=", spare=self._mark)
        except NotFound:
            pass  # it has ended, and they with it
        except (GoferError, TimeoutError) as error:
            _log.warning("terminals may have been left in a container", container=handle, error=str(error))
            if not isinstance(error, FailedPrecondition):  # what is refused once would be again
                return
        self._looked_at.add(handle)

    def forget(self, handle: ContainerHandle) -> None:
        """Remember nothing of a container that goes."""
        self._looked_at.discard(handle)


class DockerTerminal:
    """The terminal of one command in a container."""

    def __init__(self, client: DockerClient, command: str, stream: HijackedStream) -> None:
        """Use the stream, which is the caller's."""
        self._client = client
        self._command = command
        self._stream = stream

    async def read(self) -> bytes:
        """Give what was printed."""
        return await self._stream.read()

    async def write(self, data: bytes) -> None:
        """Type bytes."""
        await self._stream.write(data)

    async def resize(self, size: TerminalSize) -> None:
        """Set the window's size; one that has ended, or was not begun by then, has none."""
        with suppress(NotFound, FailedPrecondition):
            await self._client.post(f"exec/{self._command}/resize", h=str(size.rows), w=str(size.columns))

    async def exit_code(self) -> int | None:
        """Ask how it ended; None where Docker does not know it any more."""
        for _ in range(_TRIES):
            try:
                told = await self._client.get(f"exec/{self._command}/json")
            except (NotFound, FailedPrecondition):
                return None
            if not told.get("Running"):
                return int_of(told, "ExitCode")
            await asyncio.sleep(_PAUSE_SECONDS)
        return None


async def _made(
    client: DockerClient, handle: ContainerHandle, words: list[str], environment: list[str], *, tty: bool
) -> str:
    made = await client.post(
        f"containers/{handle}/exec",
        {
            "AttachStdin": tty,
            "AttachStdout": tty,
            "AttachStderr": tty,
            "Tty": tty,
            "Cmd": list(words),
            "Env": list(environment),
        },
    )
    return text_of(made, "Id")


async def _end(client: DockerClient, handle: ContainerHandle, command: str, mark: str) -> None:
    """Kill what bears the mark, unless the command has ended; a container that has ended took it along."""
    try:
        async with asyncio.timeout(_END_WITHIN.total_seconds()):
            stage = await _stage_after(client, command, _Stage.MADE, looks=_LOOKS_TO_BEGIN)
            while stage is _Stage.RUNNING:  # what has just begun may not bear the mark yet, and is killed the next time
                await _kill(client, handle, mark, spare=f"{MARK}=none")
                stage = await _stage_after(client, command, _Stage.RUNNING, looks=_LOOKS_TO_END)
    except NotFound:
        return
    except (GoferError, TimeoutError) as error:
        _log.warning("a command on a terminal may go on in its container", container=handle, error=str(error))


async def _stage_after(client: DockerClient, command: str, stage: _Stage, *, looks: int) -> _Stage:
    """Give the command's stage as soon as it is another one; the same after so many looks."""
    for _ in range(looks):
        now = _stage_of(await client.get(f"exec/{command}/json"))
        if now is not stage:
            return now
        await asyncio.sleep(_PAUSE_SECONDS)
    return stage


def _stage_of(told: Json) -> _Stage:
    if told.get("Running"):
        return _Stage.RUNNING
    return _Stage.MADE if told.get("ExitCode") is None else _Stage.ENDED


async def _kill(client: DockerClient, handle: ContainerHandle, mark: str, *, spare: str) -> None:
    """Have what bears the mark killed. Raises `NotFound` where the container does not run any more.

    Raises `FailedPrecondition` where it runs and Docker refuses: it has no shell, or is paused.
    """
    try:
        killer = await _made(client, handle, ["sh", "-c", _KILL, "gofer-end", mark, spare], [], tty=False)
        await client.post(f"exec/{killer}/start", {"Detach": True, "Tty": False})
    except FailedPrecondition:
        if object_of(await client.get(f"containers/{handle}/json"), "State").get("Running"):
            raise
        raise NotFound("the container has ended", container=handle) from None


async def _has_running(client: DockerClient, inspected: Json) -> bool:
    for command in texts_of(inspected, "ExecIDs"):
        with suppress(NotFound):  # Docker forgets those that have ended
            if (await client.get(f"exec/{command}/json")).get("Running"):
                return True
    return False


def _has_mark(inspected: Json) -> bool:
    return any(each.startswith(f"{MARK}=") for each in texts_of(object_of(inspected, "Config"), "Env"))


def _pairs(spec: TerminalSpec) -> list[str]:
    return [f"{key}={value}" for key, value in spec.environment.items()]
