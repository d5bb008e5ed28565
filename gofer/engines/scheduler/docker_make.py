"""Making containers: once per attempt, under a name that is free, with an init where it may have one."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from gofer.config.settings import DockerSettings
from gofer.core.errors import FailedPrecondition, NotFound
from gofer.engines.protocols import ContainerHandle, ContainerSpec
from gofer.engines.scheduler.docker_client import Conflict, DockerClient
from gofer.engines.scheduler.docker_convert import (
    Json,
    attempt_of,
    container_names,
    create_body,
    is_going_away,
    labels_inspected,
    object_of,
    text_of,
    texts_of,
)
from gofer.engines.scheduler.docker_program import Programs, program_inspected, program_of
from gofer.engines.scheduler.docker_pull import Images

_log = structlog.get_logger(__name__)

_TRIES_OF_A_NAME: Final = 100  # while its holder is being made or removed
_TRY_A_NAME_AGAIN: Final = timedelta(milliseconds=50)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A container; not new where an earlier call, whose caller had left, was making it."""

    handle: ContainerHandle
    is_new: bool


class Maker:
    """Makes the containers of one daemon."""

    def __init__(self, client: DockerClient, images: Images, settings: DockerSettings, *, has_init: bool) -> None:
        """`has_init`: the daemon has an init to put before a program."""
        self._client = client
        self._images = images
        self._settings = settings
        self._has_init = has_init
        self._programs = Programs(client)

    async def make(self, spec: ContainerSpec) -> Made:
        """Make the attempt's container, which must not be there; one call at a time for one attempt.

        Raises `FailedPrecondition` or `InvalidInput` in the daemon's words where it refuses.
        """
        try:
            try:
                return await self._make(spec)
            except NotFound:
                if not self._images.forget(spec.image.name):
                    raise
            # The image went since it was looked at.
            await self._images.ensure(spec.image, lambda _: None)
            return await self._make(spec)
        except NotFound as error:
            raise FailedPrecondition(error.message, attempt=str(spec.attempt)) from error

    async def _make(self, spec: ContainerSpec) -> Made:
        program = program_of(spec, await self._images.describe(spec.image.name))
        runs = self._programs.known(program)
        with_init = self._has_init and not program.is_init and runs is not False
        made = await self._make_named(spec, init=with_init)
        if with_init and runs is None and not await self._programs.look(program, made.handle):
            # Without an init the daemon itself says at the start what is wrong.
            await self._client.delete(f"containers/{made.handle}", force="1", v="1")
            made = await self._make_named(spec, init=False)
        return made

    async def check_found(self, handle: ContainerHandle, inspected: Json) -> None:
        """Look at a container that somebody made and left, who may not have come to look whether its program runs.

        Raises `FailedPrecondition` where it can't be run: behind its init nobody would hear of that.
        """
        if not object_of(inspected, "HostConfig").get("Init"):
            return
        if not await self._programs.can_run(program_inspected(inspected), handle):
            name = text_of(inspected, "Path")
            raise FailedPrecondition(
                f"the program {name} can't be run: the image has none there, or it is not executable", handle=handle
            )

    async def _make_named(self, spec: ContainerSpec, *, init: bool) -> Made:
        """Make the container under the first of its names that is free."""
        body = create_body(spec, self._settings, init=init)
        for name in container_names(spec):
            holder: Json | None = None
            for _ in range(_TRIES_OF_A_NAME):
                try:
                    return _made(await self._client.post("containers/create", body, name=name))
                except Conflict:
                    holder = await self._holder(name)
                if holder is not None:
                    break
                await asyncio.sleep(_TRY_A_NAME_AGAIN.total_seconds())
            if holder is not None and attempt_of(labels_inspected(holder)) == spec.attempt:
                return Made(handle=ContainerHandle(text_of(holder, "Id")), is_new=False)
        raise FailedPrecondition(
            f"all names of the container {spec.name} are taken by others; remove those that are not needed any more",
            attempt=str(spec.attempt),
        )

    async def _holder(self, name: str) -> Json | None:
        """Give the container of that name; None while it is on its way to be there, or to be gone."""
        try:
            inspected = await self._client.get(f"containers/{name}/json")
        except NotFound:
            return None
        return None if is_going_away(inspected) else inspected


def _made(answer: Json) -> Made:
    handle = ContainerHandle(text_of(answer, "Id"))
    warnings = texts_of(answer, "Warnings")
    if warnings:
        _log.warning("Docker warns of a container", container=handle, warnings=warnings)
    return Made(handle=handle, is_new=True)
