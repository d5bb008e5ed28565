"""Create, start, wait: how containers begin and end."""

import asyncio
from datetime import UTC

import pytest

from gofer.core.errors import FailedPrecondition, InvalidInput, NotFound
from gofer.engines.protocols import ContainerHandle, ContainerState, ImageSpec
from tests.conformance.cases import HOLDING, NO_GRACE, Behaviour, EngineUnderTest, out

HELLO = Behaviour(output=(out(b"hello\n"),))


@pytest.mark.parametrize("code", [0, 1, 7, 126, 127, 255])
async def test_the_exit_code_is_the_commands(tested: EngineUnderTest, code: int) -> None:
    handle = await tested.started(Behaviour(exit_code=code))

    assert (await tested.engine.wait(handle)).exit_code == code


@pytest.mark.parametrize(("name", "number"), [("KILL", 9), ("TERM", 15), ("SEGV", 11), ("USR1", 10)])
async def test_a_death_by_a_signal_is_128_and_its_number(tested: EngineUnderTest, name: str, number: int) -> None:
    # A shell of its own dies, so that no engine's first process with its special rules for signals is meant.
    handle = await tested.started(tested.shell(f"sh -c 'kill -{name} $$'; exit $?"))

    assert (await tested.engine.wait(handle)).exit_code == 128 + number


async def test_times_are_aware_and_in_order(tested: EngineUnderTest) -> None:
    handle = await tested.started(HELLO)
    result = await tested.engine.wait(handle)
    status = await tested.engine.inspect(handle)

    assert result.started_at is not None
    assert result.ended_at is not None
    assert result.started_at.tzinfo is UTC
    assert result.started_at <= result.ended_at
    assert (status.started_at, status.ended_at) == (result.started_at, result.ended_at)


async def test_inspect_follows_the_life_of_a_container(tested: EngineUnderTest) -> None:
    handle = await tested.engine.create(tested.spec(HOLDING))
    created = await tested.engine.inspect(handle)
    await tested.engine.start(handle)
    running = await tested.engine.inspect(handle)
    await tested.engine.stop(handle, grace=NO_GRACE)
    exited = await tested.engine.inspect(handle)

    assert (created.state, created.exit_code, created.started_at) == (ContainerState.CREATED, None, None)
    assert (running.state, running.exit_code, running.ended_at) == (ContainerState.RUNNING, None, None)
    assert running.started_at is not None
    assert (exited.state, exited.exit_code) == (ContainerState.EXITED, 137)


async def test_waiting_is_over_at_once_for_what_has_ended(tested: EngineUnderTest) -> None:
    handle = await tested.started(Behaviour(exit_code=3))
    first = await tested.engine.wait(handle)

    again = await asyncio.gather(*(tested.engine.wait(handle) for _ in range(3)))

    assert again == [first] * 3


async def test_all_who_wait_learn_of_the_end(tested: EngineUnderTest) -> None:
    handle = await tested.ready(HOLDING)

    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(tested.engine.wait(handle)) for _ in range(3)]
        await tested.engine.stop(handle, grace=NO_GRACE)

    assert [task.result().exit_code for task in waiting] == [137] * 3


async def test_what_was_never_started_can_not_be_waited_for(tested: EngineUnderTest) -> None:
    handle = await tested.engine.create(tested.spec(HELLO))

    with pytest.raises(FailedPrecondition):
        await tested.engine.wait(handle)


async def test_creating_twice_gives_the_same_container(tested: EngineUnderTest) -> None:
    spec = tested.spec(HELLO)

    handles = {await tested.engine.create(spec), await tested.engine.create(spec)}
    handles |= set(await asyncio.gather(*(tested.engine.create(spec) for _ in range(4))))

    assert len(handles) == 1
    assert len([each async for each in tested.engine.owned(tested.instance)]) == 1


async def test_starting_twice_runs_it_once(tested: EngineUnderTest) -> None:
    handle = await tested.engine.create(tested.spec(HELLO))

    await asyncio.gather(*(tested.engine.start(handle) for _ in range(4)))
    await tested.engine.wait(handle)
    await tested.engine.start(handle)
    await tested.engine.wait(handle)

    assert await tested.output(handle) == b"hello\n"


async def test_creating_again_after_the_end_changes_nothing(tested: EngineUnderTest) -> None:
    spec = tested.spec(HELLO)
    handle = await tested.started(spec)
    await tested.engine.wait(handle)

    again = await tested.engine.create(spec)
    await tested.engine.start(again)

    assert again == handle
    assert await tested.output(handle) == b"hello\n"


async def test_two_attempts_at_once_do_not_meet(tested: EngineUnderTest) -> None:
    behaviours = [Behaviour(output=(out(b"%d\n" % number),), exit_code=number) for number in range(6)]

    handles = await asyncio.gather(*(tested.started(behaviour) for behaviour in behaviours))
    results = await asyncio.gather(*(tested.engine.wait(handle) for handle in handles))
    outputs = await asyncio.gather(*(tested.output(handle) for handle in handles))

    assert [result.exit_code for result in results] == list(range(6))
    assert outputs == [b"%d\n" % number for number in range(6)]


async def test_an_unknown_handle_is_not_found(tested: EngineUnderTest) -> None:
    spec = tested.spec()
    gone = await tested.engine.create(spec)
    await tested.engine.remove(gone)

    for handle in (gone, ContainerHandle("nobody"), ContainerHandle("../../etc"), ContainerHandle("")):
        with pytest.raises(NotFound):
            await tested.engine.start(handle)
        with pytest.raises(NotFound):
            await tested.engine.wait(handle)
        with pytest.raises(NotFound):
            await tested.engine.inspect(handle)
        with pytest.raises(NotFound):
            await tested.engine.stop(handle, grace=NO_GRACE)
        with pytest.raises(NotFound):
            await tested.output(handle)
        await tested.engine.remove(handle)


async def test_a_command_that_does_not_exist_is_refused_in_words(tested: EngineUnderTest) -> None:
    spec = tested.command(entrypoint=("no-such-command-anywhere",))

    with pytest.raises((FailedPrecondition, InvalidInput), match="no-such-command-anywhere"):
        await tested.started(spec)
    found = await tested.engine.find(spec.attempt)
    if found is not None:
        await tested.engine.remove(found.handle)

    assert await tested.engine.find(spec.attempt) is None


async def test_an_engine_without_images_has_every_image(tested: EngineUnderTest) -> None:
    if tested.engine.capabilities.pulls_images:
        pytest.skip(f"the {tested.case.name} engine has images")

    await tested.engine.ensure_image(ImageSpec(name="what/ever:1"), progress=lambda _: None)
