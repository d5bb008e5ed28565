"""kill -9 while tasks run as real containers: adopted, followed to their end, started once, removed."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path

import pytest

from gofer_sdk._proto import proto
from gofer_sdk.client import Attachment, EventFilter, GoferClient, TerminalWish
from gofer_sdk.errors import Unavailable
from tests.fakes.waiting import until
from tests.integration.servers import ROOT, server

pytestmark = [pytest.mark.docker, pytest.mark.timeout(120)]

IMAGE = "gofer-test/busybox:1"
SCRIPT = (
    'i=0; while [ $i -lt 300 ]; do echo "line $i"; echo "error $i" >&2; i=$((i+1)); done; sleep 1; echo end; exit 3'
)


def config() -> proto.UserPipelineConfig:
    task = proto.UserPipelineTaskConfig(id="work", image=IMAGE, command=["/bin/sh", "-c", SCRIPT])
    return proto.UserPipelineConfig(id="killed", name="Killed", tasks=[task])


async def start_run(client: GoferClient) -> str:
    """Start the one run; the server's instance, which its containers carry as a label."""
    registered = await client.pipelines.register(config())
    await client.pipelines.deploy("killed", registered.config.version)
    instance = (await client.system.info()).instance_id
    await client.runs.start("killed")
    return instance


async def docker(*arguments: str) -> list[str]:
    process = await asyncio.create_subprocess_exec("docker", *arguments, stdout=asyncio.subprocess.PIPE, cwd=ROOT)
    said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode().split("\n")[:-1]


@pytest.mark.parametrize("options", [("--step", "start"), ("--event", "TASKRUN_STARTED"), ("--step", "exited")])
async def test_a_kill_loses_no_byte_and_starts_no_container_twice(tmp_path: Path, options: tuple[str, str]) -> None:
    async with counted_starts(tmp_path / "starts") as starts:
        async with server(tmp_path, "docker", *options) as victim, victim.client() as client:
            instance = await start_run(client)
            assert await victim.dead() == -9

        async with server(tmp_path, "docker") as survivor, survivor.client() as client:
            run = await client.runs.wait("killed", 1)
            task = await client.task_runs.get("killed", 1, "work")
            log = b"".join([chunk.data async for chunk in client.task_runs.logs("killed", 1, "work")])
        async with server(tmp_path, "docker") as last:
            await last.terminate()
        started = await starts(instance)

    lines = log.split(b"\n")
    assert run.status == proto.RunRunStatus.FAILED
    assert task.exit_code == 3
    assert [b"line %d" % n for n in range(300)] == [line for line in lines if line.startswith(b"line")]
    assert [b"error %d" % n for n in range(300)] == [line for line in lines if line.startswith(b"error")]
    assert lines[-2:] == [b"end", b""]
    assert await docker("ps", "-aq", "--filter", f"label=gofer.instance={instance}") == []
    assert started == 1


async def test_a_terminal_that_a_killed_server_left_is_ended_by_the_next_one_and_no_other(tmp_path: Path) -> None:
    """Docker ends no command because its client has gone: it went on until the task ended."""
    task = proto.UserPipelineTaskConfig(id="work", image=IMAGE, command=["sleep", "1001"])
    async with server(tmp_path, "docker") as victim, victim.client() as client:
        await client.pipelines.register(proto.UserPipelineConfig(id="killed", name="Killed", tasks=[task]))
        await client.pipelines.deploy("killed", 1)
        await client.runs.start("killed")
        await client.events.wait_for(EventFilter(kinds=("TASKRUN_STARTED",)), after_id=0)
        instance = (await client.system.info()).instance_id
        (container,) = await docker("ps", "-q", "--filter", f"label=gofer.instance={instance}")
        with suppress(Unavailable):
            async with client.task_runs.attach("killed", 1, "work", terminal=typing("1002")) as terminal:
                await until_printed(terminal, b"ready")
                await victim.kill()
    left = await programs_in(container)
    await docker("exec", "-d", container, "sleep", "1003")

    async with server(tmp_path, "docker") as survivor, survivor.client() as client:
        async with client.task_runs.attach("killed", 1, "work", terminal=typing("1004")) as terminal:
            await until_printed(terminal, b"ready")
            await until(lambda: is_gone("1002", container))
            kept = await programs_in(container)
            await terminal.type(b"x")
            await until_printed(terminal, b"x")
        await client.runs.cancel("killed", 1, force=True)
        await client.runs.wait("killed", 1)

    assert left == {"1001", "1002"}
    assert kept == {"1001", "1003", "1004"}, "the task, what a person began by hand, and the new terminal"


def typing(seconds: str) -> TerminalWish:
    """Wish for a program that does not end with its terminal."""
    return TerminalWish(command=("sh", "-c", f"trap '' HUP; echo ready; sleep {seconds}"))


async def until_printed(terminal: Attachment, mark: bytes) -> None:
    seen = b""
    async with aclosing(terminal.output()) as output:
        async for data in output:
            seen += data
            if mark in seen:
                return
    raise AssertionError(seen)


async def is_gone(program: str, container: str) -> bool:
    return program not in await programs_in(container)


async def programs_in(container: str) -> set[str]:
    """Give how long the sleepers in a container sleep."""
    lines = [line.split() for line in await docker("top", container, "-eo", "pid,args")]
    return {words[2] for words in lines if words[1:2] == ["sleep"]}


@asynccontextmanager
async def counted_starts(told: Path) -> AsyncIterator[Callable[[str], Awaitable[int]]]:
    """Count the starts of containers for the length of the block: Docker itself remembers a few hundred events only.

    Gives what waits for the first start of a server's containers to be told, and counts them all.
    """
    since = int(time.time()) - 1
    with told.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *("docker", "events", f"--since={since}", "--filter=label=gofer.instance", "--filter=event=start"),
            "--format={{json .Actor.Attributes}}",
            stdout=output,
        )

    async def count(instance: str) -> int:
        def found() -> int:
            return told.read_text().count(f'"gofer.instance":"{instance}"')

        await until(found)
        return found()

    try:
        yield count
    finally:
        process.terminate()
        await process.wait()
