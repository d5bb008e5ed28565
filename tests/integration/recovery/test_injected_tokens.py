"""The token of a task outlives the server that has made it, and not the task."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from gofer_sdk._proto import proto
from gofer_sdk.client import GoferClient
from gofer_sdk.errors import Unauthenticated
from tests.integration.servers import server

PIPELINE = "tokens"


def config(gate: Path, seen: Path) -> proto.UserPipelineConfig:
    """One task that tells its token, also to its log, and waits for the gate."""
    script = f"echo $GOFER_API_TOKEN >{seen}; echo it is $GOFER_API_TOKEN; while [ ! -e {gate} ]; do sleep 0.05; done"
    task = proto.UserPipelineTaskConfig(
        id="work", image="busybox:latest", command=["/bin/sh", "-c", script], inject_api_token=True
    )
    return proto.UserPipelineConfig(id=PIPELINE, name="Tokens", tasks=[task])


async def begin(client: GoferClient, of: proto.UserPipelineConfig) -> None:
    """Start a run, and wait until its task has written."""
    registered = await client.pipelines.register(of)
    await client.pipelines.deploy(PIPELINE, registered.config.version)
    await client.runs.start(PIPELINE)
    async with aclosing(client.task_runs.logs(PIPELINE, 1, "work")) as chunks:
        assert b"it is" in (await anext(chunks)).data


async def log_of(client: GoferClient) -> bytes:
    return b"".join([chunk.data async for chunk in client.task_runs.logs(PIPELINE, 1, "work")])


def files_with(folder: Path, text: str) -> list[Path]:
    """Find the files below a folder that hold a text."""
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


@pytest.mark.timeout(60)
async def test_a_task_keeps_its_token_over_a_kill_of_the_server_and_loses_it_with_its_end(tmp_path: Path) -> None:
    gate, seen = tmp_path / "gate", tmp_path / "seen"
    async with server(tmp_path, "process", "--guarded") as first:
        async with first.client() as nobody:
            admin = (await nobody.tokens.bootstrap()).token
        async with GoferClient(first.host, token=admin) as client:
            await begin(client, config(gate, seen))
        await first.kill()

    token = (await asyncio.to_thread(seen.read_text)).strip()
    async with (
        server(tmp_path, "process", "--guarded") as second,
        GoferClient(second.host, token=admin) as client,
        GoferClient(second.host, token=token) as inside,
    ):
        me = (await inside.tokens.who_am_i()).details
        assert me is not None
        assert (PIPELINE, 1, "work") == (me.pipeline_id, me.run_id, me.task_run_id)
        await inside.runs.get(PIPELINE, 1)
        gate.touch()
        assert proto.RunRunStatus.SUCCESSFUL == (await client.runs.wait(PIPELINE, 1)).status
        with pytest.raises(Unauthenticated):
            await inside.tokens.who_am_i()
        log = await log_of(client)

    assert log.startswith(b"it is ")
    assert not files_with(tmp_path / "data", token)
