"""Servers as processes of their own, started, killed and started again by a test."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gofer_sdk.client import GoferClient

ROOT = Path(__file__).parents[2]
START_SECONDS = 60


class ServerProcess:
    """One server process; its output goes to a file that a failed test can show."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.port = port

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def client(self) -> GoferClient:
        return GoferClient(self.host)

    async def dead(self) -> int:
        """Wait for its end; its exit status, negative for a signal."""
        return await self.process.wait()

    async def kill(self) -> None:
        """End it as `kill -9` does."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def terminate(self) -> int:
        """Ask it to stop; its exit status."""
        self.process.terminate()
        return await self.process.wait()


@asynccontextmanager
async def server(folder: Path, engine: str, *options: str) -> AsyncIterator[ServerProcess]:
    """Run a server below `folder` for the length of the block, which begins when it serves."""
    with (folder / "server.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.integration.killable_server",
            str(folder),
            engine,
            *options,
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    try:
        port = await _port_of(process, folder)
        yield ServerProcess(process, port)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _port_of(process: asyncio.subprocess.Process, folder: Path) -> int:
    assert process.stdout is not None
    async with asyncio.timeout(START_SECONDS):
        line = await process.stdout.readline()
    words = line.decode().split()
    if words[:1] != ["ready"]:
        log = (folder / "server.log").read_text(errors="replace")
        message = f"the server did not start:\n{log}"
        raise AssertionError(message)
    return int(words[1])


async def finished(module: str, *arguments: str) -> tuple[int, str]:
    """Run a module to its end; its exit status and all that it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode(errors="replace")
