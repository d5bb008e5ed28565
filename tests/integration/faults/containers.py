"""The containers of a server under test, as the engine's own command line sees them."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.integration.faults.faulty import FaultyServer


async def docker(*arguments: str, host: str = "", may_fail: bool = False) -> str:
    """Run the engine's own command line; what it said."""
    at = ("-H", host) if host else ()
    process = await asyncio.create_subprocess_exec(
        "docker", *at, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    heard, _ = await process.communicate()
    assert process.returncode == 0 or may_fail, heard.decode()
    return heard.decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Containers:
    """The containers that carry a server's label."""

    instance: str
    host: str = ""
    told_starts: Path = Path("/dev/null")

    @classmethod
    async def of(cls, server: FaultyServer, *, host: str = "") -> "Containers":
        """Know a server's containers from now on."""
        async with server.client() as client:
            return cls(instance=(await client.system.info()).instance_id, host=host)

    @asynccontextmanager
    async def counting_starts(self, folder: Path) -> AsyncIterator["Containers"]:
        """Have the starts of the machine's Docker counted for the length of the block: it remembers few of them."""
        since = int(time.time()) - 1
        with (folder / "starts").open("wb") as told:
            process = await asyncio.create_subprocess_exec(
                *("docker", "events", f"--since={since}", f"--filter=label=gofer.instance={self.instance}"),
                *("--filter=event=start", "--format={{json .Actor.Attributes}}"),
                stdout=told,
            )
        try:
            yield replace(self, told_starts=folder / "starts")
        finally:
            process.terminate()
            await process.wait()

    async def of_task(self, name: str) -> str:
        """Give the id of a task's container."""
        (found,) = await self.ids(f"label=gofer.task={name}")
        return found

    async def ids(self, *filters: str) -> list[str]:
        """Give the ids of those that are there."""
        given = [f"--filter={each}" for each in (f"label=gofer.instance={self.instance}", *filters)]
        return (await docker("ps", "-aq", "--no-trunc", *given, host=self.host)).split()

    def starts(self) -> dict[str, int]:
        """Tell how often the containers of each task were started, as far as that was counted."""
        names = [json.loads(line) for line in self.told_starts.read_text().splitlines()]
        keys = [f"{each['gofer.run']}/{each['gofer.task']}" for each in names]
        return {key: keys.count(key) for key in keys}

    async def remove(self) -> None:
        """Remove what a failed test left."""
        left = await self.ids()
        if left:
            await docker("rm", "-f", *left, host=self.host, may_fail=True)  # the server may be at it, too
