"""SIGTERM, a taken port, a second server: the end comes in order, and nothing is broken."""

from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import pytest

from gofer_sdk._proto import proto
from gofer_sdk.client import GoferClient
from gofer_sdk.client.patience import Patience
from gofer_sdk.errors import Unavailable
from tests.integration.servers import finished, server


def config(script: str) -> proto.UserPipelineConfig:
    task = proto.UserPipelineTaskConfig(id="work", image="busybox:latest", command=["/bin/sh", "-c", script])
    return proto.UserPipelineConfig(id="stopped", name="Stopped", tasks=[task])


async def deploy_and_start(client: GoferClient, script: str) -> None:
    registered = await client.pipelines.register(config(script))
    await client.pipelines.deploy("stopped", registered.config.version)
    await client.runs.start("stopped")


@pytest.mark.timeout(60)
async def test_a_stop_leaves_the_task_running_and_the_next_start_follows_it(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    script = f"echo before; while [ ! -e {gate} ]; do sleep 0.05; done; echo after; exit 4"
    async with server(tmp_path, "process") as first, first.client() as client:
        await deploy_and_start(client, script)
        async with aclosing(client.task_runs.logs("stopped", 1, "work")) as chunks:
            assert (await anext(chunks)).data == b"before\n"
        assert await first.terminate() == 0

    gate.touch()
    async with server(tmp_path, "process") as second, second.client() as client:
        run = await client.runs.wait("stopped", 1)
        task = await client.task_runs.get("stopped", 1, "work")
        log = b"".join([chunk.data async for chunk in client.task_runs.logs("stopped", 1, "work")])

    assert run.status == proto.RunRunStatus.FAILED
    assert task.exit_code == 4
    assert log == b"before\nafter\n"


@pytest.mark.timeout(60)
async def test_a_stop_ends_streams_with_unavailable_within_its_time(tmp_path: Path) -> None:
    patience = Patience(reconnect_for=timedelta())
    async with server(tmp_path, "process") as stopped, GoferClient(stopped.host, patience=patience) as client:
        events = client.events.list(follow=True)
        await anext(events)
        stopped.process.terminate()
        with pytest.raises(Unavailable):
            [event async for event in events]
        assert await stopped.dead() == 0


@pytest.mark.timeout(60)
async def test_a_queued_run_stays_queued_over_a_restart(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    one_at_a_time = config(f"while [ ! -e {gate} ]; do sleep 0.05; done")
    one_at_a_time.parallelism = 1
    async with server(tmp_path, "process") as first, first.client() as client:
        registered = await client.pipelines.register(one_at_a_time)
        await client.pipelines.deploy("stopped", registered.config.version)
        for _ in range(2):
            await client.runs.start("stopped")
        await first.terminate()

    async with server(tmp_path, "process") as second, second.client() as client:
        assert (await client.runs.get("stopped", 2)).state == proto.RunRunState.PENDING
        gate.touch()
        runs = [await client.runs.wait("stopped", number) for number in (1, 2)]

    assert [run.status for run in runs] == [proto.RunRunStatus.SUCCESSFUL] * 2


@pytest.mark.timeout(60)
async def test_a_second_server_on_the_same_data_folder_is_refused_in_words(tmp_path: Path) -> None:
    async with server(tmp_path, "process") as first:
        status, said = await finished("tests.integration.killable_server", str(tmp_path), "process")

        assert status != 0
        assert "another Gofer server" in said
        assert str(tmp_path / "data") in said
        async with first.client() as client:
            await client.system.info()


@pytest.mark.timeout(60)
async def test_a_taken_port_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    async with server(tmp_path / "one", "process") as first:
        status, said = await finished(
            "tests.integration.killable_server", str(tmp_path / "two"), "process", "--port", str(first.port)
        )

        assert status != 0
        assert f"127.0.0.1:{first.port} is taken" in said
