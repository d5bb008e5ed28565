"""kill -9 while tasks run as real containers: adopted, followed to their end, started once, removed."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from gofer_sdk._proto import proto
from gofer_sdk.client import GoferClient
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
    assert registered.config is not None
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
    began = int(time.time()) - 1
    async with server(tmp_path, "docker", *options) as victim, victim.client() as client:
        instance = await start_run(client)
        assert await victim.dead() == -9

    async with server(tmp_path, "docker") as survivor, survivor.client() as client:
        run = await client.runs.wait("killed", 1)
        task = await client.task_runs.get("killed", 1, "work")
        log = b"".join([chunk.data async for chunk in client.task_runs.logs("killed", 1, "work")])
    async with server(tmp_path, "docker") as last:
        await last.terminate()

    lines = log.split(b"\n")
    assert run.status == proto.RunRunStatus.FAILED
    assert task.exit_code == 3
    assert [b"line %d" % n for n in range(300)] == [line for line in lines if line.startswith(b"line")]
    assert [b"error %d" % n for n in range(300)] == [line for line in lines if line.startswith(b"error")]
    assert lines[-2:] == [b"end", b""]
    assert await docker("ps", "-aq", "--filter", f"label=gofer.instance={instance}") == []
    assert await starts(instance, began) == 1


async def starts(instance: str, since: int) -> int:
    """Count the containers of a server that were started since then."""
    until = int(time.time()) + 1
    lines = await docker(
        "events",
        f"--since={since}",
        f"--until={until}",
        f"--filter=label=gofer.instance={instance}",
        "--filter=event=start",
        "--format={{json .}}",
    )
    return len([json.loads(line) for line in lines])
