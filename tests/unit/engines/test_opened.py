"""Engines are opened once, when they are first needed, and left by the task that opened them."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

import pytest

from gofer.clock import SystemClock
from gofer.core.errors import EngineUnavailable, FailedPrecondition, InvalidInput
from gofer.engines.opened import OpenedEngines
from gofer.engines.protocols import SchedulerEngine
from gofer.engines.scheduler.memory import MemoryEngine
from tests.fakes.waiting import until


class Gated(MemoryEngine):
    """Tells which tasks entered and left it, and waits for its gate before it is open."""

    def __init__(self, *, gate: asyncio.Event | None = None, error: Exception | None = None) -> None:
        super().__init__(clock=SystemClock())
        self.tasks: list[asyncio.Task[object] | None] = []
        self._gate = gate
        self._error = error

    async def __aenter__(self) -> Self:
        self.tasks.append(asyncio.current_task())
        if self._gate is not None:
            await self._gate.wait()
        if self._error is not None:
            raise self._error
        return await super().__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.tasks.append(asyncio.current_task())
        await super().__aexit__(kind, error, trace)


def of(**engines: SchedulerEngine) -> Callable[[str], SchedulerEngine]:
    return lambda name: engines[name]


async def test_an_engine_is_opened_once_and_left_by_the_task_that_entered_it() -> None:
    engine = Gated()
    async with OpenedEngines(of(one=engine)) as engines:
        first, second = await asyncio.gather(engines.get("one"), engines.get("one"))

    assert first is second is engine
    assert len(engine.tasks) == 2
    assert engine.tasks[0] is engine.tasks[1]


async def test_a_slow_engine_keeps_nobody_from_another() -> None:
    slow, gate = Gated(gate=asyncio.Event()), Gated()
    async with OpenedEngines(of(slow=slow, other=gate)) as engines, asyncio.TaskGroup() as group:
        waiting = group.create_task(engines.get("slow"), name="waits")
        async with asyncio.timeout(60):
            assert await engines.get("other") is gate
        waiting.cancel()


async def test_a_caller_that_goes_away_ends_only_its_own_wait() -> None:
    gate = asyncio.Event()
    engine = Gated(gate=gate)
    async with OpenedEngines(of(one=engine)) as engines, asyncio.TaskGroup() as group:
        first = group.create_task(engines.get("one"), name="goes away")
        second = group.create_task(engines.get("one"), name="stays")
        await until(lambda: engine.tasks)
        first.cancel()
        await asyncio.wait({first})
        gate.set()

        assert await second is engine


@pytest.mark.parametrize("error", [EngineUnavailable("away"), ConnectionError("a fault")])
async def test_an_opening_that_fails_is_told_and_tried_again(error: Exception) -> None:
    tries = iter([Gated(error=error), Gated()])
    async with OpenedEngines(lambda _: next(tries)) as engines:
        with pytest.raises(type(error)):
            await engines.get("one")

        assert isinstance(await engines.get("one"), Gated)


async def test_what_no_engine_should_raise_is_told_in_words() -> None:
    """Nobody who waits for an engine looks for more than its contract allows."""

    def make(name: str) -> SchedulerEngine:
        if name == "broken":
            raise TypeError("a setting is missing")
        return Gated(error=ZeroDivisionError("by hand"))

    async with OpenedEngines(make) as engines:
        with pytest.raises(EngineUnavailable, match="engine one failed when it was opened: ZeroDivisionError: by hand"):
            await engines.get("one")
        with pytest.raises(FailedPrecondition, match="engine broken can't be made: TypeError: a setting is missing"):
            await engines.get("broken")


async def test_an_unknown_engine_is_told_in_words() -> None:
    def make(name: str) -> SchedulerEngine:
        raise InvalidInput(f"there is no engine {name}")

    async with OpenedEngines(make) as engines:
        with pytest.raises(InvalidInput, match="no engine one"):
            await engines.get("one")


async def test_an_engine_that_was_left_is_unavailable() -> None:
    engines = OpenedEngines(of(one=Gated()))
    async with engines:
        await engines.get("one")

    with pytest.raises(EngineUnavailable):
        await engines.get("one")


async def test_leaving_ends_an_opening_that_does_not_end() -> None:
    async with OpenedEngines(of(one=Gated(gate=asyncio.Event()))) as engines, asyncio.TaskGroup() as group:
        waiting = group.create_task(engines.get("one"), name="waits")
        await asyncio.sleep(0)
        waiting.cancel()
