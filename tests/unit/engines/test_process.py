import asyncio
import os
import resource
import signal
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gofer.config.settings import ProcessSettings
from gofer.core.errors import EngineUnavailable, FailedPrecondition, GoferError, InvalidInput
from gofer.core.ids import InstanceId
from gofer.engines.process.group import parse_shim, read_boot_id
from gofer.engines.protocols import ContainerState
from gofer.engines.registry import EngineRegistry
from gofer.engines.scheduler.process import ProcessEngine, create
from tests.fakes.processes import gone
from tests.unit.engines.processes import (
    HERE,
    PATH,
    attempt,
    engine_in,
    first_line,
    output,
    run,
    shell,
    spec_of,
    started,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "process"


@pytest.fixture
async def engine(folder: Path) -> AsyncIterator[ProcessEngine]:
    async with engine_in(folder) as entered:
        yield entered
        async for each in entered.owned(HERE):
            await entered.remove(each.handle)


def test_the_registry_makes_it_from_its_settings(tmp_path: Path) -> None:
    made = EngineRegistry().scheduler("process", ProcessSettings(folder=str(tmp_path)))

    assert made.name == "process"


def test_settings_without_a_folder_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"scheduler\.process\.folder"):
        create(ProcessSettings())


async def test_a_task_without_command_and_entrypoint_is_refused_in_words(engine: ProcessEngine) -> None:
    spec = spec_of()

    with pytest.raises(FailedPrecondition, match="neither a command nor an entrypoint"):
        await engine.create(spec)

    assert await engine.find(spec.attempt) is None


async def test_what_no_process_can_be_given_is_refused_with_every_fault(engine: ProcessEngine) -> None:
    spec = spec_of("echo", "a\0b", environment={"": "x", "A=B": "x", "C": "\0"})

    with pytest.raises(InvalidInput) as caught:
        await engine.create(spec)

    assert len(caught.value.faults) == 4


async def test_an_instance_that_is_no_file_name_is_refused(engine: ProcessEngine) -> None:
    spec = spec_of("true", of=replace(attempt(), instance=InstanceId("../up")))

    with pytest.raises(InvalidInput):
        await engine.create(spec)
    assert await engine.find(spec.attempt) is None


@pytest.mark.parametrize("command", ["no-such-command", "./missing", "/etc/os-release", "/"])
async def test_a_command_that_is_none_is_refused_at_the_start(engine: ProcessEngine, command: str) -> None:
    handle = await engine.create(spec_of(command))

    with pytest.raises(FailedPrecondition, match=command):
        await engine.start(handle)

    assert (await engine.inspect(handle)).state is ContainerState.CREATED


@pytest.mark.parametrize("file", ["spec.json", "environ"])
@pytest.mark.parametrize("left", [b"", bytes(4096)], ids=["nothing", "zeros"])
async def test_what_a_failure_of_the_power_left_nothing_of_is_not_started(
    engine: ProcessEngine, folder: Path, file: str, left: bytes
) -> None:
    """A name can be on the disk before the content is."""
    handle = await engine.create(shell("true"))
    (folder / handle / file).write_bytes(left)

    with pytest.raises(FailedPrecondition, match="did the power fail"):
        await engine.start(handle)

    assert (await engine.inspect(handle)).state is ContainerState.CREATED


async def test_a_command_that_is_too_long_is_refused_in_words(engine: ProcessEngine) -> None:
    handle = await engine.create(spec_of("echo", "x" * 200_000))

    with pytest.raises(FailedPrecondition, match="larger than this system allows"):
        await engine.start(handle)


async def test_an_engine_that_is_not_open_is_not_there(folder: Path) -> None:
    with pytest.raises(EngineUnavailable):
        await engine_in(folder).find(attempt())


@pytest.mark.parametrize("method", ["wait", "logs"])
async def test_an_engine_that_is_left_meanwhile_tells_nothing_of_a_container(folder: Path, method: str) -> None:
    """To be told of none would be to lose the task."""
    engine = await engine_in(folder).__aenter__()
    handle = await engine.create(shell("true"))

    async with asyncio.TaskGroup() as group:
        asking = group.create_task(outcome_of(engine.wait(handle) if method == "wait" else output(engine, handle)))
        await asyncio.sleep(0)  # its thread is at work
        await engine.__aexit__(None, None, None)

    assert asking.result() is EngineUnavailable


async def outcome_of(work: Awaitable[object]) -> type[GoferError] | None:
    try:
        await work
    except GoferError as error:
        return type(error)
    return None


async def test_what_a_crash_left_half_made_goes_at_the_next_start(folder: Path) -> None:
    for name in (".new-1", ".gone-2"):
        (folder / name / "work").mkdir(parents=True)
    folder.chmod(0o700)

    async with engine_in(folder):
        assert list(folder.iterdir()) == []


async def test_what_a_task_closed_to_itself_is_removed_too(engine: ProcessEngine, folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o755)
    handle = await started(engine, shell(f"mkdir -p a/b; touch a/b/c; chmod 0 a/b; chmod 0 a; ln -s {outside} link"))
    await engine.wait(handle)

    await engine.remove(handle)

    assert list(folder.iterdir()) == []
    assert outside.stat().st_mode & 0o777 == 0o755


async def test_children_in_the_background_are_killed_at_the_end(engine: ProcessEngine) -> None:
    handle = await started(engine, shell("sleep 1000 & echo $!; sleep 1000 & echo $!; exit 2"))
    result = await engine.wait(handle)

    for pid in (await output(engine, handle)).split():
        await gone(int(pid))

    assert result.exit_code == 2


async def test_a_shim_that_is_killed_from_outside_counts_as_killed(engine: ProcessEngine, folder: Path) -> None:
    handle = await started(engine, shell("echo $$; exec sleep 1000"))
    child = int(await first_line(engine, handle))

    os.kill(shim_of(folder / handle), signal.SIGKILL)
    result = await engine.wait(handle)

    assert result.exit_code == 137
    await gone(child)


async def test_a_shim_that_was_killed_without_a_server_counts_as_killed(folder: Path) -> None:
    spec = shell("echo $$; exec sleep 1000")
    async with engine_in(folder) as engine:
        handle = await started(engine, spec)
        child = int(await first_line(engine, handle))
    os.kill(shim_of(folder / handle), signal.SIGKILL)
    await gone(shim_of(folder / handle))

    async with engine_in(folder) as engine:
        found = await engine.find(spec.attempt)

    assert found is not None
    assert (found.status.state, found.status.exit_code) == (ContainerState.EXITED, 137)
    await gone(child)


@pytest.mark.parametrize("change", ["boot", "start"])
async def test_a_number_that_another_process_has_is_not_taken_for_the_task(folder: Path, change: str) -> None:
    spec = shell("exec sleep 1000")
    stat = Path(f"/proc/{os.getpid()}/stat").read_text()
    async with engine_in(folder) as engine:
        handle = await engine.create(spec)
        boot = read_boot_id()
        if change == "boot":
            line = f"another {stat}"
        else:
            shim = parse_shim(f"{boot} {stat}")
            assert shim is not None
            line = f"{boot} {stat.replace(f' {shim.start_ticks} ', f' {shim.start_ticks - 1} ')}"
        (folder / handle / "shims").write_text(line)
        (folder / handle / "claim").write_text(f"{os.getpid()}\n")

        status = await engine.inspect(handle)
        await engine.stop(handle, grace=timedelta())
        await engine.remove(handle)

    assert (status.state, status.exit_code) == (ContainerState.EXITED, 137)


async def test_a_claim_whose_holder_died_at_once_is_an_end(engine: ProcessEngine, folder: Path) -> None:
    handle = await engine.create(shell("echo never"))
    (folder / handle / "claim").touch()
    (folder / handle / "shims").write_text("half a li")

    await engine.start(handle)

    assert (await engine.wait(handle)).exit_code == 137
    assert await output(engine, handle) == b""


async def test_an_unreadable_status_counts_as_killed(engine: ProcessEngine, folder: Path) -> None:
    handle = await started(engine, shell("exit 4"))
    await engine.wait(handle)
    (folder / handle / "status").write_text("")

    assert (await engine.inspect(handle)).exit_code == 137


async def test_two_servers_at_once_start_it_once(folder: Path) -> None:
    async with engine_in(folder) as one, engine_in(folder) as other:
        for _ in range(10):
            handle = await one.create(shell("echo once"))
            await asyncio.gather(one.start(handle), other.start(handle), one.start(handle), other.start(handle))

            codes = [(await each.wait(handle)).exit_code for each in (one, other)]

            assert codes == [0, 0]
            assert await output(other, handle) == b"once\n"


async def test_runs_leave_no_descriptor_and_no_zombie(engine: ProcessEngine, folder: Path) -> None:
    await run(engine, shell("true"))
    before = len(list(Path("/proc/self/fd").iterdir()))

    shims = []
    for _ in range(30):
        handle = await started(engine, shell("true"))
        await engine.wait(handle)
        await output(engine, handle)
        shims.append(shim_of(folder / handle))
        await engine.remove(handle)

    assert len(list(Path("/proc/self/fd").iterdir())) <= before
    assert [pid for pid in shims if Path(f"/proc/{pid}").exists()] == []


async def test_labels_and_name_can_be_read_by_people(engine: ProcessEngine, folder: Path) -> None:
    spec = shell("true")
    handle = await engine.create(spec)

    described = (folder / handle / "spec.json").read_text()

    assert '"gofer.run": "1"' in described
    assert spec.name in described


def shim_of(folder: Path) -> int:
    return int((folder / "claim").read_text())


async def test_a_task_gets_the_limit_of_open_files_that_it_is_given_not_the_servers(folder: Path) -> None:
    """The server raises its own for many tasks; programs that close all that may be open would crawl through it."""
    async with ProcessEngine(folder=folder, path=PATH, open_files=321) as engine:
        spec = shell("ulimit -S -n; ulimit -H -n")
        printed = await run(engine, spec)

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert printed.decode().split() == ["321", "unlimited" if hard < 0 else str(hard)]
