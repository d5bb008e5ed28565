"""What containers get, whose they are, and what is left alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from gofer.core.errors import FailedPrecondition, InvalidInput, NotFound
from gofer.core.output import LogCursor, LogStream
from gofer.engines.protocols import ContainerHandle, ContainerState, ImageSpec
from gofer.engines.scheduler.docker import DockerEngine, create
from gofer.engines.scheduler.docker_client import DockerClient
from gofer.engines.scheduler.docker_convert import Json, create_body, labels_of, object_of, text_of
from tests.integration.docker.attempts import IMAGE, QUICK, Attempts, docker_engine, raw_docker, supervise

pytestmark = pytest.mark.docker

MAIN_PART = 16 * 1024


@asynccontextmanager
async def somebody_elses(docker: DockerClient, name: str) -> AsyncIterator[ContainerHandle]:
    """Make a container that is not Gofer's."""
    made = await docker.post("containers/create", {"Image": IMAGE, "Cmd": ["true"]}, name=name)
    handle = ContainerHandle(text_of(made, "Id"))
    try:
        yield handle
    finally:
        await docker.delete(f"containers/{handle}", force="1")


async def inspected(handle: ContainerHandle) -> Json:
    async with raw_docker() as docker:
        return await docker.get(f"containers/{handle}/json")


async def output(engine: DockerEngine, handle: ContainerHandle, since: LogCursor | None = None) -> bytes:
    async with engine.logs(handle, since=since) as chunks:
        return b"".join([chunk.data async for chunk in chunks])


async def test_a_container_carries_its_name_and_its_labels(engine: DockerEngine, attempts: Attempts) -> None:
    spec = replace(attempts.shell("true"), labels={"team": "x"})

    found = await inspected(await engine.create(spec))

    assert text_of(found, "Name") == f"/{spec.name}"
    assert object_of(object_of(found, "Config"), "Labels").items() >= {"team": "x", **labels_of(spec.attempt)}.items()


async def test_a_name_that_another_container_has_gets_a_suffix(engine: DockerEngine, attempts: Attempts) -> None:
    spec = attempts.shell("true")

    async with raw_docker() as docker, somebody_elses(docker, spec.name) as theirs:
        handle = await engine.create(spec)
        again = await engine.create(spec)
        name = text_of(await inspected(handle), "Name")

        assert again == handle != theirs
        assert name.startswith(f"/{spec.name}-")
        assert len(name) == len(f"/{spec.name}-") + 6


async def test_a_name_that_begins_with_an_underscore_is_possible(engine: DockerEngine, attempts: Attempts) -> None:
    spec = replace(attempts.shell("true"), name=f"_{attempts.instance}")

    handle = await engine.create(spec)

    assert text_of(await inspected(handle), "Name") == f"/g_{attempts.instance}"


async def test_a_container_that_is_not_gofers_stays(engine: DockerEngine, attempts: Attempts) -> None:
    async with raw_docker() as docker, somebody_elses(docker, f"{attempts.instance}_theirs") as theirs:
        with pytest.raises(FailedPrecondition, match="not Gofer's"):
            await engine.remove(theirs)
        with pytest.raises(FailedPrecondition, match="not Gofer's"):
            await engine.stop(theirs, grace=timedelta())

        assert text_of(object_of(await inspected(theirs), "State"), "Status") == "created"


async def test_a_running_container_that_is_not_gofers_runs_on(engine: DockerEngine, attempts: Attempts) -> None:
    async with raw_docker() as docker:
        body = {"Image": IMAGE, "Cmd": ["sleep", "100"], "HostConfig": {"NetworkMode": "none"}}
        made = await docker.post("containers/create", body, name=f"{attempts.instance}_theirs")
        theirs = ContainerHandle(text_of(made, "Id"))
        try:
            await docker.post(f"containers/{theirs}/start")
            with pytest.raises(FailedPrecondition, match="not Gofer's"):
                await engine.stop(theirs, grace=timedelta())
            assert (await engine.inspect(theirs)).state is ContainerState.RUNNING
        finally:
            await docker.delete(f"containers/{theirs}", force="1")


async def test_a_paused_container_is_a_running_one_and_can_be_stopped(engine: DockerEngine, attempts: Attempts) -> None:
    handle = await engine.create(attempts.shell("exec sleep 100"))
    await engine.start(handle)
    async with raw_docker() as docker:
        await docker.post(f"containers/{handle}/pause")

    state = (await engine.inspect(handle)).state
    await engine.stop(handle, grace=timedelta(minutes=1))

    assert state is ContainerState.RUNNING
    assert (await engine.wait(handle)).exit_code == 143


async def test_settings_reach_the_container(attempts: Attempts) -> None:
    settings = replace(QUICK, user="65534:65534", extra_hosts=("registry:10.0.0.1",), memory_limit_bytes=64_000_000)

    async with docker_engine(attempts, settings) as engine:
        outcome = await supervise(
            engine, attempts.shell("id -u; id -g; cat /sys/fs/cgroup/memory*/memory.limit* || true")
        )
        handle = await engine.create(attempts.shell("true"))
        host = object_of(await inspected(handle), "HostConfig")

    assert outcome.out.startswith(b"65534\n65534\n")
    assert (host["Memory"], host["ExtraHosts"], host["PidsLimit"]) == (64_000_000, ["registry:10.0.0.1"], 4096)
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["Privileged"] is False


async def test_a_network_that_is_not_there_is_told_at_the_start(attempts: Attempts) -> None:
    async with docker_engine(attempts, replace(QUICK, network="no-such-network")) as engine:
        with pytest.raises(FailedPrecondition, match="no-such-network"):
            await engine.start(await engine.create(attempts.shell("true")))


async def test_an_image_that_has_gone_is_told_at_the_creation(engine: DockerEngine, attempts: Attempts) -> None:
    spec = replace(attempts.shell("true"), image=ImageSpec(name="gofer-test/no-such-image:1"))

    with pytest.raises(FailedPrecondition, match="gofer-test/no-such-image:1"):
        await engine.create(spec)

    assert await engine.find(spec.attempt) is None


async def test_a_path_instead_of_an_image_is_refused(engine: DockerEngine, attempts: Attempts) -> None:
    with pytest.raises(InvalidInput, match="is no image"):
        await engine.create(replace(attempts.shell("true"), image=ImageSpec(name="../containers/json?all=1")))


# ---------------------------------------------------------------- the first process


@pytest.mark.parametrize("command", [("/no/such",), ("no-such-word",), ("/etc/passwd",), ("/tmp",)])
async def test_what_can_not_be_run_is_refused_at_the_start_and_leaves_no_output(
    engine: DockerEngine, attempts: Attempts, command: tuple[str, ...]
) -> None:
    for _ in range(2):  # the second time what the image has is known
        handle = await engine.create(attempts.spec(entrypoint=command))

        with pytest.raises(FailedPrecondition, match=command[0]):
            await engine.start(handle)

        assert (await engine.inspect(handle)).state is ContainerState.CREATED
        await engine.remove(handle)


@pytest.mark.parametrize("command", [("/no/such",), ("no-such-word",)])
async def test_what_can_not_be_run_is_refused_also_where_its_maker_died_before_it_looked(
    engine: DockerEngine, attempts: Attempts, command: tuple[str, ...]
) -> None:
    """A kill between the creation and the look left a container whose init ran, and exited with 127."""
    spec = attempts.spec(entrypoint=command)
    async with raw_docker() as docker:
        await docker.post("containers/create", create_body(spec, QUICK, init=True), name=spec.name)

    found = await engine.find(spec.attempt)
    assert found is not None
    with pytest.raises(FailedPrecondition, match=command[0]):
        await engine.start(found.handle)

    assert (await engine.inspect(found.handle)).state is ContainerState.CREATED


async def test_a_program_that_is_no_init_gets_one(engine: DockerEngine, attempts: Attempts) -> None:
    outcome = await supervise(engine, attempts.spec(entrypoint=("sh", "-c", "cat /proc/1/comm; echo $$")))

    first, own = outcome.out.split()
    assert b"init" in first
    assert own != b"1"


async def test_a_program_that_is_an_init_is_the_first_process(engine: DockerEngine, attempts: Attempts) -> None:
    handle = await engine.create(attempts.spec(entrypoint=("/bin/init",)))

    assert object_of(await inspected(handle), "HostConfig").get("Init") in {None, False}


# ---------------------------------------------------------------- output


@pytest.mark.parametrize("size", [MAIN_PART - 1, MAIN_PART, MAIN_PART + 1, 2 * MAIN_PART, 100_000])
async def test_long_lines_are_whole_after_a_restart(attempts: Attempts, size: int) -> None:
    """Docker's log driver loses the newline of a line of 16 KiB or more."""
    line = f"head -c {size} /dev/zero | tr '\\0' x; echo"
    spec = attempts.shell(f"{line}; {line}; echo; echo end; {line}")
    async with docker_engine(attempts) as engine:
        handle = await engine.create(spec)
        await engine.start(handle)
        await engine.wait(handle)
        written = b"x" * size + b"\n"

        async with create(QUICK) as another:
            assert await output(another, handle) == written * 2 + b"\nend\n" + written
            for given in (1, size, size + 1, 2 * size + 2, 2 * size + 10):
                rest = await output(another, handle, LogCursor(stdout_bytes=given))
                assert rest == (written * 2 + b"\nend\n" + written)[given:]


async def test_a_long_last_line_without_a_newline_gets_none_while_it_is_live(
    engine: DockerEngine, attempts: Attempts
) -> None:
    outcome = await supervise(engine, attempts.shell(f"head -c {2 * MAIN_PART + 5} /dev/zero | tr '\\0' x"))

    assert outcome.out == b"x" * (2 * MAIN_PART + 5)


async def test_much_output_of_both_streams_is_exact_live_and_later(engine: DockerEngine, attempts: Attempts) -> None:
    script = (
        "i=0; while [ $i -lt 20 ]; do head -c 30000 /dev/urandom | tee -a /tmp/out; "
        "head -c 700 /dev/urandom | base64 | tee -a /tmp/err >&2; i=$((i+1)); done; "
        "md5sum < /tmp/out; md5sum < /tmp/err >&2"
    )
    handle = await engine.create(attempts.shell(script))
    live = dict.fromkeys(LogStream, b"")
    async with engine.logs(handle) as chunks:
        await engine.start(handle)
        async for chunk in chunks:
            live[chunk.stream] += chunk.data

    later = dict.fromkeys(LogStream, b"")
    async with engine.logs(handle) as chunks:
        async for chunk in chunks:
            later[chunk.stream] += chunk.data

    assert {stream: len(data) for stream, data in live.items()} == {
        LogStream.STDOUT: 600_000 + 36,
        LogStream.STDERR: len(live[LogStream.STDERR]),
    }
    assert live == later


async def test_a_container_that_closes_its_streams_and_runs_on_is_followed_to_its_end(
    engine: DockerEngine, attempts: Attempts
) -> None:
    outcome = await supervise(engine, attempts.shell("echo said; exec >&- 2>&-; sleep 3; exit 9"))

    assert (outcome.exit_code, outcome.out, outcome.tries) == (9, b"said\n", 1)


async def test_removing_what_is_followed_before_its_start_ends_the_log(
    engine: DockerEngine, attempts: Attempts
) -> None:
    handle = await engine.create(attempts.shell("true"))

    with pytest.raises(NotFound):  # noqa: PT012 # the stream breaks while it is read
        async with engine.logs(handle) as chunks:
            async with asyncio.TaskGroup() as group:
                group.create_task(engine.remove(handle))
            async for _ in chunks:
                pass


async def test_an_attempt_found_again_by_another_adapter_is_followed_to_its_end(attempts: Attempts) -> None:
    spec = attempts.shell("for i in 1 2 3 4 5 6; do echo $i; sleep 0.1; done; printf no-newline; exit 7")
    async with docker_engine(attempts) as engine:
        async with create(QUICK) as first:
            handle = await first.create(spec)
            async with first.logs(handle) as chunks:
                await first.start(handle)
                read = (await anext(chunks)).data

        found = await engine.find(spec.attempt)
        assert found is not None
        rest = await output(engine, found.handle, LogCursor(stdout_bytes=len(read)))

        assert read + rest == b"1\n2\n3\n4\n5\n6\nno-newline"
        assert (await engine.wait(found.handle)).exit_code == 7
