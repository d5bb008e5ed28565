"""Find, own, and take up again after a restart."""

import asyncio
from dataclasses import replace

from gofer.core.ids import InstanceId
from gofer.core.output import LogCursor
from gofer.engines.protocols import ContainerState
from tests.conformance.cases import HOLDING, NO_GRACE, Behaviour, EngineUnderTest, out

HELLO = Behaviour(output=(out(b"hello\n"),), exit_code=6)


async def test_an_attempt_that_nobody_made_is_unknown(tested: EngineUnderTest) -> None:
    assert await tested.engine.find(tested.attempt()) is None


async def test_find_tells_every_state(tested: EngineUnderTest) -> None:
    spec = tested.spec(HOLDING)
    handle = await tested.engine.create(spec)
    created = await tested.engine.find(spec.attempt)
    await tested.engine.start(handle)
    running = await tested.engine.find(spec.attempt)
    await tested.engine.stop(handle, grace=NO_GRACE)
    exited = await tested.engine.find(spec.attempt)

    assert created is not None
    assert running is not None
    assert exited is not None
    assert [each.handle for each in (created, running, exited)] == [handle] * 3
    assert [each.status.state for each in (created, running, exited)] == [
        ContainerState.CREATED,
        ContainerState.RUNNING,
        ContainerState.EXITED,
    ]
    assert exited.status.exit_code == 137


async def test_another_number_of_the_same_task_is_another_attempt(tested: EngineUnderTest) -> None:
    spec = tested.spec(HELLO)
    await tested.engine.create(spec)

    assert await tested.engine.find(replace(spec.attempt, number=2)) is None
    assert await tested.engine.find(replace(spec.attempt, instance=InstanceId("another"))) is None


async def test_only_the_instances_own_are_listed(tested: EngineUnderTest) -> None:
    mine = [tested.spec(HELLO), tested.spec(HOLDING)]
    other = replace(tested.spec(HELLO), attempt=replace(tested.attempt(), instance=InstanceId("another")))
    handles = [await tested.engine.create(spec) for spec in mine]
    await tested.engine.start(handles[1])
    foreign = await tested.engine.create(replace(other, name="another"))

    found = [each async for each in tested.engine.owned(tested.instance)]
    others = [each async for each in tested.engine.owned(InstanceId("another"))]
    await tested.engine.remove(foreign)

    assert {each.handle: each.attempt for each in found} == {
        handle: spec.attempt for handle, spec in zip(handles, mine, strict=True)
    }
    assert [each.handle for each in others] == [foreign]


async def test_what_was_only_created_can_be_started_after_a_restart(tested: EngineUnderTest) -> None:
    spec = tested.spec(HELLO)
    handle = await tested.engine.create(spec)

    await tested.restart()
    found = await tested.engine.find(spec.attempt)
    await tested.engine.start(handle)

    assert found is not None
    assert (found.handle, found.status.state) == (handle, ContainerState.CREATED)
    assert (await tested.engine.wait(handle)).exit_code == 6
    assert await tested.output(handle) == b"hello\n"


async def test_what_runs_goes_on_over_a_restart(tested: EngineUnderTest) -> None:
    spec = tested.spec(HOLDING)
    handle = await tested.ready(spec)

    await tested.restart()
    found = await tested.engine.find(spec.attempt)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(tested.engine.wait(handle))
        reading = group.create_task(tested.output(handle))
        await tested.engine.start(handle)
        await tested.engine.stop(handle, grace=NO_GRACE)

    assert found is not None
    assert found.status.state is ContainerState.RUNNING
    assert waiting.result().exit_code == 137
    assert reading.result() == b"ready\n"


async def test_what_ended_without_a_server_keeps_its_code_and_its_output(tested: EngineUnderTest) -> None:
    spec = tested.shell("echo before; sleep 0.3; echo after; exit 6")
    handle = await tested.ready(spec, mark=b"before\n")

    await tested.restart()
    result = await tested.engine.wait(handle)
    await tested.restart()
    found = await tested.engine.find(spec.attempt)

    assert result.exit_code == 6
    assert found is not None
    assert (found.status.state, found.status.exit_code) == (ContainerState.EXITED, 6)
    assert found.status.started_at == result.started_at
    assert found.status.ended_at == result.ended_at
    assert await tested.output(handle) == b"before\nafter\n"
    assert await tested.output(handle, LogCursor(stdout_bytes=7)) == b"after\n"


async def test_an_ended_one_is_never_started_again_after_a_restart(tested: EngineUnderTest) -> None:
    spec = tested.spec(HELLO)
    handle = await tested.started(spec)
    await tested.engine.wait(handle)

    await tested.restart()
    again = await tested.engine.create(spec)
    await tested.engine.start(again)

    assert again == handle
    assert (await tested.engine.wait(handle)).exit_code == 6
    assert await tested.output(handle) == b"hello\n"


async def test_what_runs_can_be_removed_after_a_restart(tested: EngineUnderTest) -> None:
    spec = tested.spec(HOLDING)
    handle = await tested.ready(spec)

    await tested.restart()
    await tested.engine.remove(handle)

    assert await tested.engine.find(spec.attempt) is None
