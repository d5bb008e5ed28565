"""Containers without Gofer: created, attached to, started, read to their end and waited for."""

import asyncio
from types import TracebackType
from typing import Final, Self

import aiodocker
from aiodocker.containers import DockerContainer
from aiodocker.types import JSONObject

IMAGE: Final = "gofer-test/busybox:1"
LOOK_AGAIN_SECONDS: Final = 0.02


class ByHand:
    """Runs containers of one kind, and removes them beside what comes next."""

    def __init__(self, docker: aiodocker.Docker, body: JSONObject) -> None:
        self._docker = docker
        self._body = body
        self._group = asyncio.TaskGroup()
        self._removing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._group.__aexit__(kind, error, trace)

    async def run(self) -> None:
        """Run a container to its end; it must have succeeded."""
        container = await self._docker.containers.create(self._body)
        try:
            await run_container(container)
        finally:
            removing = self._group.create_task(_removed(container), name="remove")
            self._removing.add(removing)
            removing.add_done_callback(self._removing.discard)

    async def all_removed(self) -> None:
        """Wait until no container of these is left."""
        if self._removing:
            await asyncio.wait(self._removing)

    async def none_of_gofer(self, pipeline: str) -> None:
        """Wait until Gofer's containers are gone, so that their removal is nobody else's load."""
        await none_of_gofer(self._docker, pipeline)


async def run_container(container: DockerContainer) -> None:
    """Run a made container to its end."""
    async with container.attach(stdout=True, stderr=True, logs=False) as output:
        await container.start()
        while await output.read_out() is not None:
            pass
    ended = await container.wait()
    if ended["StatusCode"] != 0:
        message = f"the container did not succeed: {ended}"
        raise RuntimeError(message)


async def none_of_gofer(docker: aiodocker.Docker, pipeline: str) -> None:
    """Wait until no container of Gofer's is left of a pipeline."""
    ours = {"label": [f"gofer.pipeline={pipeline}"]}
    while await docker.containers.list(all=True, filters=ours):  # noqa: ASYNC110 - Docker's state, not ours
        await asyncio.sleep(LOOK_AGAIN_SECONDS)


async def _removed(container: DockerContainer) -> None:
    await container.delete(force=True)
