"""Stop and remove."""

import asyncio
from datetime import timedelta

import pytest

from gofer.core.errors import NotFound
from gofer.engines.protocols import ContainerHandle, ContainerState
from tests.conformance.cases import HOLDING, NO_GRACE, STUBBORN, Behaviour, EngineUnderTest, out

LONG_GRACE = timedelta(minutes=1)
SHORT_GRACE = timedelta(milliseconds=300)


async def test_a_stop_is_a_sigterm_first(tested: EngineUnderTest) -> None:
    handle = await tested.ready(HOLDING)

    await tested.engine.stop(handle, grace=LONG_GRACE)

    assert (await tested.engine.inspect(handle)).exit_code == 143


async def test_a_handler_may_end_it_in_its_own_way(tested: EngineUnderTest) -> None:
    spec = tested.shell("trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.05; done")
    handle = await tested.ready(spec)

    await tested.engine.stop(handle, grace=LONG_GRACE)

    assert (await tested.engine.inspect(handle)).exit_code == 5
    written = await tested.output(handle)
    assert written.startswith(b"ready\n")
    assert written.endswith(b"bye\n")  # between them its shell may tell that the signal ended a sleep, too


async def test_what_ignores_sigterm_is_killed_after_the_grace(tested: EngineUnderTest) -> None:
    handle = await tested.ready(STUBBORN)

    async with asyncio.TaskGroup() as group:
        stop = group.create_task(tested.engine.stop(handle, grace=SHORT_GRACE))
        result = await tested.engine.wait(handle)

    assert stop.done()
    assert result.exit_code == 137


async def test_without_a_grace_it_is_killed_at_once(tested: EngineUnderTest) -> None:
    handle = await tested.ready(STUBBORN)

    await tested.engine.stop(handle, grace=NO_GRACE)

    assert (await tested.engine.wait(handle)).exit_code == 137


async def test_a_second_stop_may_be_harder_than_the_first(tested: EngineUnderTest) -> None:
    handle = await tested.ready(STUBBORN)

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(tested.engine.stop(handle, grace=timedelta(hours=1)))
        await asyncio.sleep(0)
        group.create_task(tested.engine.stop(handle, grace=NO_GRACE))

    assert (await tested.engine.inspect(handle)).exit_code == 137


async def test_stopping_what_was_created_ends_it_unstarted(tested: EngineUnderTest) -> None:
    handle = await tested.engine.create(tested.spec(Behaviour(output=(out(b"never\n"),))))

    await tested.engine.stop(handle, grace=LONG_GRACE)
    await tested.engine.start(handle)
    result = await tested.engine.wait(handle)

    assert result.exit_code == 137
    assert result.started_at is None
    assert await tested.output(handle) == b""


async def test_stopping_what_has_ended_changes_nothing(tested: EngineUnderTest) -> None:
    handle = await tested.started(Behaviour(exit_code=3))
    before = await tested.engine.wait(handle)

    await tested.engine.stop(handle, grace=LONG_GRACE)
    await tested.engine.stop(handle, grace=NO_GRACE)

    assert await tested.engine.wait(handle) == before


async def test_a_stop_right_after_the_start_is_not_lost(tested: EngineUnderTest) -> None:
    for _ in range(5):
        handle = await tested.started(Behaviour(holds=True))

        await tested.engine.stop(handle, grace=LONG_GRACE)

        assert (await tested.engine.inspect(handle)).exit_code == 143


async def test_a_stop_reaches_the_whole_family(tested: EngineUnderTest) -> None:
    script = "sh -c 'trap \"echo child; exit 0\" TERM; echo ready; while :; do sleep 0.05; done'; echo parent"
    handle = await tested.ready(tested.shell(script))

    await tested.engine.stop(handle, grace=timedelta(seconds=2))

    assert (await tested.engine.inspect(handle)).state is ContainerState.EXITED


@pytest.mark.parametrize("grace", [NO_GRACE, SHORT_GRACE], ids=["kill", "grace"])
async def test_a_stop_beside_the_start_ends_it(tested: EngineUnderTest, grace: timedelta) -> None:
    handle = await tested.engine.create(tested.spec(HOLDING))

    await asyncio.gather(tested.engine.start(handle), tested.engine.stop(handle, grace=grace))
    await tested.engine.stop(handle, grace=grace)

    assert (await tested.engine.inspect(handle)).state is ContainerState.EXITED


async def test_removing_twice_is_done(tested: EngineUnderTest) -> None:
    spec = tested.spec(Behaviour(output=(out(b"x"),)))
    handle = await tested.started(spec)
    await tested.engine.wait(handle)

    await asyncio.gather(tested.engine.remove(handle), tested.engine.remove(handle))
    await tested.engine.remove(handle)

    assert await tested.engine.find(spec.attempt) is None
    with pytest.raises(NotFound):
        await tested.engine.inspect(handle)


async def test_removing_kills_what_runs(tested: EngineUnderTest) -> None:
    spec = tested.spec(STUBBORN)
    handle = await tested.ready(spec)

    await tested.engine.remove(handle)

    assert await tested.engine.find(spec.attempt) is None


async def test_who_waits_for_what_is_removed_does_not_wait_for_ever(tested: EngineUnderTest) -> None:
    handle = await tested.ready(STUBBORN)

    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(_exit_code(tested, handle))
        await asyncio.sleep(0)
        await tested.engine.remove(handle)

    assert waiting.result() in {137, None}


async def test_an_attempt_can_be_made_again_after_its_removal(tested: EngineUnderTest) -> None:
    spec = tested.spec(Behaviour(output=(out(b"again\n"),)))
    await tested.engine.remove(await tested.started(spec))

    handle = await tested.started(spec)
    await tested.engine.wait(handle)

    assert await tested.output(handle) == b"again\n"


async def _exit_code(tested: EngineUnderTest, handle: ContainerHandle) -> int | None:
    try:
        return (await tested.engine.wait(handle)).exit_code
    except NotFound:
        return None
