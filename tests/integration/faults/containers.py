"""The containers of a server under test, as the engine's own command line sees them."""

import asyncio
import json
import time
from dataclasses import dataclass, field

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
    since: int = field(default_factory=lambda: int(time.time()) - 1)

    @classmethod
    async def of(cls, server: FaultyServer, *, host: str = "") -> "Containers":
        """Know a server's containers from now on."""
        async with server.client() as client:
            return cls(instance=(await client.system.info()).instance_id, host=host)

    async def of_task(self, name: str) -> str:
        """Give the id of a task's container."""
        (found,) = await self.ids(f"label=gofer.task={name}")
        return found

    async def ids(self, *filters: str) -> list[str]:
        """Give the ids of those that are there."""
        given = [f"--filter={each}" for each in (f"label=gofer.instance={self.instance}", *filters)]
        return (await docker("ps", "-aq", "--no-trunc", *given, host=self.host)).split()

    async def starts(self) -> dict[str, int]:
        """Count how often the containers of each task were started, as far as the engine remembers."""
        lines = await docker(
            "events",
            f"--since={self.since}",
            f"--until={int(time.time()) + 1}",
            f"--filter=label=gofer.instance={self.instance}",
            "--filter=event=start",
            "--format={{json .Actor.Attributes}}",
            host=self.host,
        )
        names = [json.loads(line) for line in lines.splitlines()]
        keys = [f"{each['gofer.run']}/{each['gofer.task']}" for each in names]
        return {key: keys.count(key) for key in keys}

    async def remove(self) -> None:
        """Remove what a failed test left."""
        left = await self.ids()
        if left:
            await docker("rm", "-f", *left, host=self.host, may_fail=True)  # the server may be at it, too
