"""A server process with faults, as a test holds it: what it says, what it holds, what limits it."""

import asyncio
import json
import os
import resource
import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gofer_sdk._proto import proto
from gofer_sdk.client import GoferClient
from gofer_sdk.client.patience import Patience
from tests.fakes.waiting import SOON_SECONDS, until
from tests.integration.servers import ROOT, ServerProcess

START_SECONDS = 60
SLACK = 4
WRITE_AHEAD = "-wal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    """What a server holds."""

    tasks: tuple[str, ...]
    descriptors: dict[str, int]
    objects: dict[str, int]
    rss_bytes: int

    def beyond(self, before: "Holds") -> list[str]:
        """Name what there is more of than before: a connection that is open may hold its last call until the next."""
        more = [
            f"{kind}: {count - before.objects.get(kind, 0)} more"
            for kind, count in sorted(self.objects.items())
            if count > before.objects.get(kind, 0) + SLACK
        ]
        if len(self.tasks) > len(before.tasks):
            more.append(f"tasks: {self.tasks}, before {before.tasks}")
        if _lasting(self.descriptors) > _lasting(before.descriptors):
            more.append(f"descriptors: {self.descriptors}, before {before.descriptors}")
        return more


def _lasting(descriptors: dict[str, int]) -> int:
    """Count what is open, with the log of each database as often as its file: a connection opens its own when it reads.

    Which of a store's connections reads is chance, so that one may be the first to after the count of before.
    """
    logs = {name: count for name, count in descriptors.items() if name.endswith(WRITE_AHEAD)}
    assert all(count <= descriptors.get(name.removesuffix(WRITE_AHEAD), 0) for name, count in logs.items()), descriptors
    return sum(descriptors.values()) - sum(logs.values())


class FaultyServer(ServerProcess):
    """One server process that takes commands."""

    async def ask(self, command: str) -> object:
        """Give the answer to a command."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{command}\n".encode())
        async with asyncio.timeout(SOON_SECONDS):
            answer: object = json.loads(await self.process.stdout.readline())
        return answer

    async def holds(self) -> Holds:
        """Count what the server holds."""
        answer = await self.ask("holds")
        assert isinstance(answer, dict)
        return Holds(
            tasks=tuple(answer["tasks"]),
            descriptors=answer["descriptors"],
            objects=answer["objects"],
            rss_bytes=answer["rss_bytes"],
        )

    def limit_files(self, size_bytes: int = resource.RLIM_INFINITY) -> None:
        """Let no file of the process grow beyond that: the disk is full for whatever would."""
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))

    def files(self, folder: Path) -> Path:
        """Give a folder as the server sees it, which may have a disk of its own."""
        return Path(f"/proc/{self.process.pid}/root") / folder.relative_to("/")

    def impatient(self) -> GoferClient:
        """Give a client that takes the first answer for the last."""
        return GoferClient(self.host, patience=Patience(attempts=1))


@asynccontextmanager
async def faulty_server(
    folder: Path, engine: str, *options: str, powerless: bool = False, disk_bytes: int = 0
) -> AsyncIterator[FaultyServer]:
    """Run a server below `folder` for the length of the block.

    `powerless`: as somebody whom file modes bind; `disk_bytes`: with its data on a disk of its own, of that size.
    """
    process = await started(folder, engine, *options, powerless=powerless, disk_bytes=disk_bytes)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            words = (await process.stdout.readline()).decode().split()
        assert words[:1] == ["ready"], said(folder)
        yield FaultyServer(process, int(words[1]))
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def started(
    folder: Path, engine: str, *options: str, powerless: bool = False, disk_bytes: int = 0
) -> asyncio.subprocess.Process:
    """Start the process of a server; it may refuse to serve."""
    command = [sys.executable, "-m", "tests.integration.faults.faulty_server", str(folder), engine, *options]
    if powerless and os.geteuid() == 0:
        command = ["setpriv", "--inh-caps=-all", "--bounding-set=-all", *command]
    if disk_bytes:
        data = folder / "data"
        data.mkdir(0o700)
        mount = f'mount -t tmpfs -o size={disk_bytes},mode=700 none {shlex.quote(str(data))} && exec "$@"'
        command = ["unshare", "--mount", "sh", "-c", mount, "sh", *command]
    with (folder / "server.log").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log
        )


async def refusal(folder: Path, engine: str, *options: str, powerless: bool = False) -> str:
    """Start a server that refuses to serve; its last words."""
    process = await started(folder, engine, *options, powerless=powerless)
    try:
        async with asyncio.timeout(START_SECONDS):
            assert await process.wait() == 1, said(folder)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    return said(folder).splitlines()[-1]


def said(folder: Path) -> str:
    """Give all that the server said to its log."""
    return (folder / "server.log").read_text(errors="replace")


def task(name: str, script: str, *parents: str, image: str = "gofer-test/busybox:1") -> proto.UserPipelineTaskConfig:
    """Make a task that is a shell script."""
    need = proto.UserPipelineTaskConfigRequiredParentStatus.SUCCESS
    return proto.UserPipelineTaskConfig(
        id=name, image=image, command=["/bin/sh", "-c", script], depends_on=dict.fromkeys(parents, need)
    )


async def deploy(client: GoferClient, *tasks: proto.UserPipelineTaskConfig, pipeline: str = "faults") -> str:
    """Register and deploy a pipeline of these tasks; its id."""
    config = proto.UserPipelineConfig(id=pipeline, name="Faults", tasks=list(tasks))
    registered = await client.pipelines.register(config)
    await client.pipelines.deploy(pipeline, registered.config.version)
    return pipeline


async def start(client: GoferClient, pipeline: str = "faults") -> int:
    """Start a run; its number."""
    reply = await client.runs.start(pipeline)
    assert reply.run is not None
    return reply.run.id


async def until_running(client: GoferClient, run: int, name: str, *, pipeline: str = "faults") -> None:
    """Wait until a task runs."""

    async def is_running() -> bool:
        states = {found.id: found.state async for found in client.task_runs.each(pipeline, run)}
        return states.get(name) == proto.TaskRunTaskRunState.RUNNING

    await until(is_running)


async def log_of(client: GoferClient, run: int, name: str, *, pipeline: str = "faults", follow: bool = True) -> bytes:
    """Read a task's log, to its end or as far as it is there."""
    return b"".join([chunk.data async for chunk in client.task_runs.logs(pipeline, run, name, follow=follow)])


async def notes(client: GoferClient) -> str:
    """Give what the server says of itself."""
    return "\n".join((await client.system.info()).notes)


async def until_told(client: GoferClient, words: str) -> None:
    """Wait until the server says that this keeps runs waiting."""

    async def is_told() -> bool:
        return any(words in note for note in await notes_of_troubles(client))

    await until(is_told)


async def until_calm(client: GoferClient) -> None:
    """Wait until the server says that nothing keeps runs waiting."""

    async def is_calm() -> bool:
        return await notes_of_troubles(client) == []

    await until(is_calm)


async def notes_of_troubles(client: GoferClient) -> list[str]:
    """Give what the server says that keeps runs waiting."""
    return [note for note in (await client.system.info()).notes if "for this to end" in note]
