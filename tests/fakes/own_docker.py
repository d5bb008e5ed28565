"""A Docker daemon of a test's own, to be stopped, killed and started again, while the machine's is left alone."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import pytest

from tests.fakes.docker_cutter import docker_socket
from tests.fakes.waiting import until

IMAGE: Final = "gofer-test/busybox:1"

can_start_docker = pytest.mark.skipif(
    os.geteuid() != 0 or not all(shutil.which(each) for each in ("dockerd", "containerd", "unshare")),
    reason="only root can start a Docker daemon of the test's own, with dockerd, containerd and unshare",
)


@dataclass(slots=True)
class OwnDocker:
    """dockerd, and a containerd of its own, without which it could not come back.

    It has a network of its own too: a dockerd without a bridge removes the one that it finds, which is the machine's.
    """

    folder: Path
    live_restore: bool
    containerd: asyncio.subprocess.Process | None = None
    dockerd: asyncio.subprocess.Process | None = None

    @classmethod
    @asynccontextmanager
    async def running(cls, *, live_restore: bool = True) -> AsyncIterator[Self]:
        """Run a daemon that has the tests' image for the length of the block. It can't make networks."""
        with tempfile.TemporaryDirectory(prefix="gofer-dockerd-", ignore_cleanup_errors=True) as folder:
            docker = cls(Path(folder), live_restore)
            try:
                await docker.start()
                await docker._load_image()
                yield docker
            finally:
                await docker._end()

    @property
    def url(self) -> str:
        """Give its socket as a Docker host."""
        return f"unix://{self.folder}/docker.sock"

    async def start(self) -> None:
        """Start what does not run, and wait until it answers."""
        if not _runs(self.containerd):
            self.containerd = await self._spawn(
                *("containerd", "--root", f"{self.folder}/c-root", "--state", f"{self.folder}/c-state"),
                *("-a", f"{self.folder}/c.sock"),
            )
            await until(self._has_containerd)
        pid_file = self.folder / "docker.pid"
        pid_file.unlink(missing_ok=True)
        self.dockerd = await self._spawn(
            *("unshare", "--net", "dockerd", "-H", self.url, "--containerd", f"{self.folder}/c.sock"),
            *("--pidfile", str(pid_file), "--data-root", f"{self.folder}/data", "--exec-root", f"{self.folder}/exec"),
            *("--bridge", "none", "--iptables=false", "--ip6tables=false"),
            *(["--live-restore"] if self.live_restore else []),
        )
        await until(self._answers)

    async def stop(self) -> None:
        """End dockerd as its service manager does."""
        await _end(self.dockerd, signal.SIGTERM)

    async def kill(self) -> None:
        """End dockerd at once; what it started goes on."""
        await _end(self.dockerd, signal.SIGKILL)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Have dockerd do nothing at all for the length of the block: connections to it are taken, and not answered."""
        assert self.dockerd is not None
        self.dockerd.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.dockerd.send_signal(signal.SIGCONT)

    async def lose_power(self) -> None:
        """End everything at once: both daemons, and the containers with what holds them."""
        for pid in self._processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await _end(self.dockerd, signal.SIGKILL)
        await _end(self.containerd, signal.SIGKILL)

    def _processes(self) -> set[int]:
        """Give the daemons, what holds containers for them (it names their folder), and what these have started."""
        parents = _parents()
        found = {pid for pid in parents if self._is_daemon(pid)}
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return found

    def _is_daemon(self, pid: int) -> bool:
        try:
            program, *arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            return False
        named = any(f"{self.folder}/" in argument for argument in arguments)
        return named and Path(program).name.startswith(("dockerd", "containerd"))

    async def _spawn(self, *command: str) -> asyncio.subprocess.Process:
        with (self.folder / f"{command[0]}.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log, start_new_session=True)

    async def _has_containerd(self) -> bool:
        return (self.folder / "c.sock").exists()

    async def _answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_unix_connection(self.folder / "docker.sock")
        except OSError:
            return False
        try:
            writer.write(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in await reader.readline()
        except OSError:
            return False
        finally:
            writer.close()

    async def _load_image(self) -> None:
        packed = str(self.folder / "image.tar")
        await _run("docker", "-H", f"unix://{docker_socket()}", "save", "-o", packed, IMAGE)
        await _run("docker", "-H", self.url, "load", "-i", packed)

    async def _end(self) -> None:
        if _runs(self.dockerd):
            left = (await _run("docker", "-H", self.url, "ps", "-aq")).split()
            if left:
                await _run("docker", "-H", self.url, "rm", "-f", *left, may_fail=True)
        await _end(self.dockerd, signal.SIGTERM)
        await _end(self.containerd, signal.SIGTERM)
        await self.lose_power()  # what holds containers of a daemon that was killed
        await _run("umount", f"{self.folder}/data", may_fail=True)  # dockerd mounts it upon itself


def _parents() -> dict[int, int]:
    """Give the parent of each process of this machine."""
    parents = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with suppress(OSError):
                parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
    return parents


def _runs(process: asyncio.subprocess.Process | None) -> bool:
    return process is not None and process.returncode is None


async def _end(process: asyncio.subprocess.Process | None, number: signal.Signals) -> None:
    if process is None or process.returncode is not None:
        return
    process.send_signal(number)
    with suppress(TimeoutError):
        async with asyncio.timeout(20):
            await process.wait()
    if process.returncode is None:
        process.kill()
        await process.wait()


async def _run(*command: str, may_fail: bool = False) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0 or may_fail, said.decode()
    return said.decode()
