"""A daemon that is killed and started again while containers go on. It is one of the test's own."""

from dataclasses import replace
from pathlib import Path

import pytest

from gofer.core.errors import EngineUnavailable
from gofer.core.output import LogCursor
from gofer.engines.protocols import ContainerHandle, ContainerState
from gofer.engines.scheduler.docker import DockerEngine
from gofer.engines.scheduler.docker_client import DockerClient, Endpoint
from gofer.engines.scheduler.docker_convert import int_of, object_of
from tests.fakes.own_docker import OwnDocker, can_start_docker
from tests.fakes.waiting import until
from tests.integration.docker.attempts import QUICK, Attempts, docker_engine, supervise
from tests.integration.faults.containers import docker

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.timeout(120),
    can_start_docker,
]


async def process_of(handle: ContainerHandle, url: str) -> Path:
    client = await DockerClient.connect(Endpoint(url=url))
    state = object_of(await client.get(f"containers/{handle}/json"), "State")
    await client.close()
    return Path("/proc") / str(int_of(state, "Pid"))


async def ended(process: Path) -> None:
    await until(lambda: not process.exists())


async def read_until_it_breaks(
    engine: DockerEngine, handle: ContainerHandle, read: bytearray, daemon: OwnDocker
) -> None:
    """Start the container, kill its daemon after a few lines, and read on."""
    async with engine.logs(handle) as chunks:
        await engine.start(handle)
        async for chunk in chunks:
            read += chunk.data
            if read.count(b"\n") >= 4:
                await daemon.kill()


async def test_a_container_goes_on_while_its_daemon_is_killed_and_comes_back(attempts: Attempts) -> None:
    long = attempts.shell(
        "i=0; while [ $i -lt 20 ]; do echo line $i; i=$((i+1)); sleep 0.1; done; "
        "until [ -e /go ]; do sleep 0.05; done; printf end; exit 3"
    )
    ends_meanwhile = attempts.shell("echo before; sleep 2; exit 4")
    async with OwnDocker.running() as daemon, docker_engine(attempts, replace(QUICK, host=daemon.url)) as engine:
        handle = await engine.create(long)
        other = await engine.create(ends_meanwhile)
        await engine.start(other)
        async with engine.logs(other) as chunks:
            assert (await anext(chunks)).data == b"before\n"
        process = await process_of(other, daemon.url)
        read = bytearray()
        with pytest.raises(EngineUnavailable):
            await read_until_it_breaks(engine, handle, read, daemon)

        with pytest.raises(EngineUnavailable):
            await engine.find(long.attempt)
        await ended(process)
        await daemon.start()
        found = await engine.find(long.attempt)
        assert found is not None
        await docker("exec", found.handle, "touch", "/go", host=daemon.url)
        async with engine.logs(found.handle, since=LogCursor(stdout_bytes=len(read))) as chunks:
            rest = b"".join([chunk.data async for chunk in chunks])
        result = await engine.wait(handle)
        meanwhile = await supervise(engine, ends_meanwhile)

    assert (found.handle, found.status.state) == (handle, ContainerState.RUNNING)
    assert read + rest == b"".join(b"line %d\n" % number for number in range(20)) + b"end"
    assert result.exit_code == 3
    # (What it would have written without a daemon, Docker would have lost.)
    assert (meanwhile.exit_code, meanwhile.out) == (4, b"before\n")
