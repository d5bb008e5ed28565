"""A daemon that is killed and started again while containers go on. It is one of the test's own."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import pytest

from gofer.core.errors import EngineUnavailable
from gofer.core.output import LogCursor
from gofer.engines.protocols import ContainerHandle, ContainerState
from gofer.engines.scheduler.docker import DockerEngine
from gofer.engines.scheduler.docker_client import DockerClient, Endpoint
from gofer.engines.scheduler.docker_convert import int_of, object_of
from tests.fakes.docker_cutter import docker_socket
from tests.integration.docker.attempts import IMAGE, QUICK, Attempts, docker_engine, supervise

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.skipif(
        os.geteuid() != 0 or not all(shutil.which(each) for each in ("dockerd", "containerd", "unshare")),
        reason="only root can start a Docker daemon of the test's own, with dockerd, containerd and unshare",
    ),
]


async def run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


@dataclass(slots=True)
class OwnDaemon:
    """dockerd with live-restore, and a containerd of its own, without which it could not come back.

    It has a network of its own too: a dockerd without a bridge removes the one that it finds, which is the machine's.
    """

    folder: Path
    containerd: asyncio.subprocess.Process | None = None
    dockerd: asyncio.subprocess.Process | None = None

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[Self]:
        with tempfile.TemporaryDirectory(prefix="gofer-dockerd-", ignore_cleanup_errors=True) as folder:
            daemon = cls(Path(folder))
            try:
                daemon.containerd = await daemon._spawn(
                    "containerd", "--root", f"{folder}/c-root", "--state", f"{folder}/c-state", "-a", f"{folder}/c.sock"
                )
                await daemon._until_there(Path(folder) / "c.sock")
                await daemon.start()
                await daemon._load_image()
                yield daemon
            finally:
                await daemon._end()

    @property
    def url(self) -> str:
        return f"unix://{self.folder}/docker.sock"

    async def start(self) -> None:
        pid_file = self.folder / "docker.pid"
        pid_file.unlink(missing_ok=True)
        self.dockerd = await self._spawn(
            *(
                "unshare",
                "--net",
                "dockerd",
                "-H",
                self.url,
                "--containerd",
                f"{self.folder}/c.sock",
                "--pidfile",
                str(pid_file),
            ),
            *("--data-root", f"{self.folder}/data", "--exec-root", f"{self.folder}/exec"),
            *("--bridge", "none", "--iptables=false", "--ip6tables=false", "--live-restore"),
        )
        async with asyncio.timeout(60):
            while not await self._answers():  # noqa: ASYNC110 # another process does
                await asyncio.sleep(0.1)

    async def kill(self) -> None:
        if self.dockerd is not None and self.dockerd.returncode is None:
            self.dockerd.kill()
            await self.dockerd.wait()

    async def _spawn(self, *command: str) -> asyncio.subprocess.Process:
        log = (self.folder / f"{command[0]}.log").open("ab")
        with log:
            return await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log, start_new_session=True)

    async def _answers(self) -> bool:
        process = await asyncio.create_subprocess_exec(
            *("docker", "-H", self.url, "version"), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        return await process.wait() == 0

    async def _until_there(self, socket: Path) -> None:
        async with asyncio.timeout(30):
            while not socket.exists():  # noqa: ASYNC110 # another process makes it
                await asyncio.sleep(0.05)

    async def _load_image(self) -> None:
        packed = str(self.folder / "image.tar")
        await run("docker", "-H", f"unix://{docker_socket()}", "save", "-o", packed, IMAGE)
        await run("docker", "-H", self.url, "load", "-i", packed)

    async def _end(self) -> None:
        for process in (self.dockerd, self.containerd):
            if process is None or process.returncode is not None:
                continue
            process.send_signal(signal.SIGTERM)
            with suppress(TimeoutError):
                async with asyncio.timeout(20):
                    await process.wait()
            if process.returncode is None:
                process.kill()
                await process.wait()
        with suppress(AssertionError):
            await run("umount", f"{self.folder}/data")  # dockerd mounts it upon itself


async def process_of(handle: ContainerHandle, url: str) -> Path:
    client = await DockerClient.connect(Endpoint(url=url))
    state = object_of(await client.get(f"containers/{handle}/json"), "State")
    await client.close()
    return Path("/proc") / str(int_of(state, "Pid"))


async def ended(process: Path) -> None:
    async with asyncio.timeout(10):
        while process.exists():  # noqa: ASYNC110 # nobody else tells
            await asyncio.sleep(0.05)


async def read_until_it_breaks(
    engine: DockerEngine, handle: ContainerHandle, read: bytearray, daemon: OwnDaemon
) -> None:
    """Start the container, kill its daemon after a few lines, and read on."""
    async with engine.logs(handle) as chunks:
        await engine.start(handle)
        async for chunk in chunks:
            read += chunk.data
            if read.count(b"\n") >= 4:
                await daemon.kill()


async def test_a_container_goes_on_while_its_daemon_is_killed_and_comes_back(attempts: Attempts) -> None:
    long = attempts.shell("i=0; while [ $i -lt 60 ]; do echo line $i; i=$((i+1)); sleep 0.1; done; printf end; exit 3")
    ends_meanwhile = attempts.shell("echo before; sleep 2; exit 4")
    async with OwnDaemon.running() as daemon, docker_engine(attempts, replace(QUICK, host=daemon.url)) as engine:
        handle = await engine.create(long)
        other = await engine.create(ends_meanwhile)
        await engine.start(other)
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
        async with engine.logs(found.handle, since=LogCursor(stdout_bytes=len(read))) as chunks:
            rest = b"".join([chunk.data async for chunk in chunks])
        result = await engine.wait(handle)
        meanwhile = await supervise(engine, ends_meanwhile)

    assert (found.handle, found.status.state) == (handle, ContainerState.RUNNING)
    assert read + rest == b"".join(b"line %d\n" % number for number in range(60)) + b"end"
    assert result.exit_code == 3
    # (What it would have written without a daemon, Docker would have lost.)
    assert (meanwhile.exit_code, meanwhile.out) == (4, b"before\n")
