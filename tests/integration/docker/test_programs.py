"""What a user reads where the program of a task can't be run, with an init before it and without."""

import io
import tarfile
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import aiodocker
import pytest

from gofer.core.errors import FailedPrecondition
from gofer.engines.protocols import ContainerHandle
from gofer.engines.scheduler.docker_convert import Json, has_init_program, object_of
from tests.fakes.docker_cutter import docker_socket
from tests.integration.docker.attempts import IMAGE, QUICK, Attempts, docker_engine, raw_docker

pytestmark = pytest.mark.docker


async def inspected(handle: ContainerHandle) -> Json:
    async with raw_docker() as docker:
        return await docker.get(f"containers/{handle}/json")


@pytest.mark.parametrize("init", [True, False])
@pytest.mark.parametrize(
    ("entrypoint", "words"),
    [
        ("no-such-program", '"no-such-program": executable file not found in .PATH'),
        ("/no/such/file", "/no/such/file: no such file or directory"),
        ("/etc/passwd", "permission denied"),
        ("/etc", "is a directory|permission denied"),
    ],
)
async def test_a_program_that_cant_be_run_is_told_in_the_daemons_words(
    attempts: Attempts, entrypoint: str, words: str, *, init: bool
) -> None:
    async with docker_engine(attempts, replace(QUICK, init=init)) as engine:
        handle = await engine.create(attempts.spec(entrypoint=(entrypoint,)))
        with pytest.raises(FailedPrecondition, match=words):
            await engine.start(handle)


@asynccontextmanager
async def image_with(name: str, content: bytes) -> AsyncIterator[str]:
    """Make an image that has an executable file of that name at its root."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.mode, entry.size = 0o755, len(content)
        archive.addfile(entry, io.BytesIO(content))
    image = f"gofer-test/{uuid.uuid4().hex[:12]}"
    async with aiodocker.Docker(url=f"unix://{docker_socket()}") as docker:
        made = await docker.containers.create({"Image": IMAGE, "Cmd": ["true"]})
        try:
            await made.put_archive("/", packed.getvalue())  # type: ignore[no-untyped-call]  # aiodocker types it not
            await made.commit(repository=image, tag="1")
        finally:
            await made.delete(force=True)
        try:
            yield f"{image}:1"
        finally:
            await docker.images.delete(f"{image}:1", force=True)


@pytest.mark.parametrize(
    ("init", "code", "words"),
    [
        (False, 1, b"exec format error"),
        (True, 127, b"not found"),  # the init gives what it can't run to `sh`, as shells do
    ],
)
async def test_what_is_wrong_with_a_program_of_another_machine_is_in_its_log(
    attempts: Attempts, code: int, words: bytes, *, init: bool
) -> None:
    async with (
        image_with("bad", b"\x7fELF of nobody") as image,
        docker_engine(attempts, replace(QUICK, init=init)) as engine,
    ):
        handle = await engine.create(attempts.spec(entrypoint=("/bad",), image=image))
        has_init = object_of(await inspected(handle), "HostConfig").get("Init") is True
        await engine.start(handle)
        ended = await engine.wait(handle)
        async with engine.logs(handle) as chunks:
            printed = b"".join([chunk.data async for chunk in chunks])
        await engine.remove(handle)

    if has_init == init:
        assert (ended.exit_code, words in printed) == (code, True)


@pytest.mark.parametrize("init", [True, False])
async def test_an_init_is_there_unless_it_is_not_wanted(attempts: Attempts, *, init: bool) -> None:
    async with docker_engine(attempts, replace(QUICK, init=init)) as engine:
        host = object_of(await inspected(await engine.create(attempts.shell("true"))), "HostConfig")
        async with raw_docker() as docker:
            is_possible = has_init_program(await docker.daemon_version())

    assert (host.get("Init") is True) == (init and is_possible)
