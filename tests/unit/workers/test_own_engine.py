"""A server whose own engine can't be reached starts, says so, and tries again until it is there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Self

import pytest

from gofer.clock import SystemClock
from gofer.core.errors import EngineUnavailable, FailedPrecondition
from gofer.engines.opened import OpenedEngines
from gofer.engines.scheduler.memory import MemoryEngine
from gofer.workers.own_engine import EngineStart
from gofer.workers.troubles import Troubles
from tests.fakes.clock import FakeClock
from tests.fakes.waiting import until

AWAY = EngineUnavailable("nobody is there")
A_SECOND = timedelta(seconds=1)


class World:
    """An engine that is away for as long as `fault` says, and when it was tried."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.troubles = Troubles()
        self.fault: Exception | None = AWAY
        self.hangs = False
        self.tries: list[int] = []
        self.stack = AsyncExitStack()
        self.engines = OpenedEngines(self.make)

    def make(self, name: str) -> "Absent":
        assert name in {"own", "other"}
        return Absent(self, present=name == "other")

    def start(self, *, fallback: str = "", patience: timedelta = timedelta(seconds=5)) -> EngineStart:
        return EngineStart(
            engines=self.engines, clock=self.clock, troubles=self.troubles, fallback=fallback, patience=patience
        )

    async def pass_time(self, seconds: int) -> None:
        """Let the time pass in steps, each once the worker sleeps again."""
        for _ in range(seconds):
            await self.clock.sleepers(1)
            await self.clock.advance(A_SECOND)


class Absent(MemoryEngine):
    """Is away while its world says so."""

    def __init__(self, world: World, *, present: bool) -> None:
        super().__init__(clock=SystemClock())
        self._world = world
        self._present = present

    async def __aenter__(self) -> Self:
        if not self._present:
            self._world.tries.append(round(self._world.clock.monotonic().total_seconds()))
            if self._world.hangs:
                await asyncio.Event().wait()
            if self._world.fault:
                raise self._world.fault
        return await super().__aenter__()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    async with world.engines, world.stack:
        yield world


async def test_an_engine_that_answers_is_given_opened_and_nothing_is_told(world: World) -> None:
    world.fault = None

    engine = await world.start().open(world.stack, "own")

    assert engine is await world.engines.get("own")
    assert world.troubles.notes() == ()


@pytest.mark.parametrize("fault", [AWAY, ConnectionRefusedError("nobody is there"), ValueError("nobody is there")])
async def test_an_engine_that_is_away_is_told_and_tried_again_ever_more_seldom(world: World, fault: Exception) -> None:
    world.fault = fault
    engine = await world.start().open(world.stack, "own")
    (note,) = world.troubles.notes()
    await world.pass_time(200)

    assert engine.name == "memory"
    assert "the server waits" in note
    assert "nobody is there" in note
    assert world.tries == [0, 1, 3, 7, 15, 31, 63, 123, 183]


async def test_an_engine_that_comes_back_is_opened_and_its_trouble_is_over(world: World) -> None:
    await world.start().open(world.stack, "own")
    await world.pass_time(2)
    world.fault = FailedPrecondition("it is too old")
    await world.pass_time(2)
    told = world.troubles.notes()
    world.fault = None
    await world.pass_time(3)
    opened = await world.engines.get("own")

    assert "it is too old" in told[0]
    assert world.tries == [0, 1, 3, 7]
    assert world.troubles.notes() == ()
    assert opened is await world.engines.get("own")


async def test_who_else_opens_it_ends_the_wait(world: World) -> None:
    await world.start().open(world.stack, "own")
    await world.clock.sleepers(1)
    world.fault = None
    await world.engines.get("own")
    await until(lambda: not world.troubles.notes())

    assert world.tries == [0, 0]


async def test_an_engine_that_says_nothing_holds_the_start_up_for_a_short_time_only(world: World) -> None:
    world.hangs = True

    await world.start(patience=timedelta(milliseconds=20)).open(world.stack, "own")

    assert "has not answered within 0.02 seconds" in world.troubles.notes()[0]


async def test_the_other_engine_is_taken_where_there_is_one(world: World) -> None:
    engine = await world.start(fallback="other").open(world.stack, "own")

    assert engine is await world.engines.get("other")
    assert world.troubles.notes() == ()


async def test_an_engine_that_refuses_is_refused(world: World) -> None:
    world.fault = FailedPrecondition("it is too old")

    with pytest.raises(FailedPrecondition, match="too old"):
        await world.start().open(world.stack, "own")
