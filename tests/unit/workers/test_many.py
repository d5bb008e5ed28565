"""Many runs, many tasks, and whatever order users and restarts come in: what always holds."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gofer.core.errors import NotFound
from gofer.core.ids import AttemptId, EventId, RunKey
from gofer.core.pipeline import Requirement, Task
from gofer.core.run import RunState, TaskState
from gofer.engines.protocols import ContainerState
from gofer.services.ingress import Ingress
from gofer.services.runs import Runs, Target
from gofer.storage.journal import EventFilter
from tests.factories import KEY
from tests.fakes.waiting import until
from tests.unit.workers.conftest import CALLER, World, container, open_world
from tests.unit.workers.deleting import HastyClock


async def test_a_cancel_of_all_runs_lets_others_write_and_starts_none(world: World) -> None:
    """One transaction for thousands of runs with large variables kept every other write waiting for many seconds."""
    await world.register(container("hold", hold="true"), parallelism=1)
    keys = [await world.start_run() for _ in range(20)]
    await until(lambda: len(world.engine.starts) == 1)
    runs = Runs(database=world.database, ingress=Ingress(is_open=True), clock=HastyClock())
    before = world.database.changes

    cancelled = await runs.cancel_all(CALLER, Target(namespace="", pipeline=KEY.pipeline), force=True)

    commits = world.database.changes - before
    assert tuple(key.run for key in keys) == cancelled
    assert {run.state for run in await world.until_over(*keys)} == {RunState.CANCELLED}
    assert len(world.engine.starts) == 1
    assert commits >= 20


@pytest.mark.timeout(60)
@pytest.mark.parametrize("limit", [1, 3])
async def test_two_hundred_runs_pass_a_narrow_pipeline_in_their_order(tmp_path: Path, limit: int) -> None:
    """Those that may start at the same moment are admitted in any order, so that one may be overtaken by few."""
    async with open_world(tmp_path, parallelism_limit=limit) as world:
        await world.register(container("hello"), parallelism=5)
        live = most = 0
        keys = await asyncio.gather(*(world.start_run() for _ in range(200)))

        runs = await world.until_over(*keys)

        assert {run.state for run in runs} == {RunState.SUCCEEDED}
        admitted = []
        for kind, run in await kinds_of_all(world):
            live += (kind == "RUN_ADMITTED") - (kind == "RUN_COMPLETED")
            most = max(most, live)
            if kind == "RUN_ADMITTED":
                admitted.append(run)
    overtaken = [sum(later < run for later in admitted[place:]) for place, run in enumerate(admitted)]
    assert max(overtaken) < limit
    assert most == limit


async def kinds_of_all(world: World) -> list[tuple[str, int]]:
    wanted = EventFilter(kinds=frozenset({"RUN_ADMITTED", "RUN_COMPLETED"}))
    found = await world.database.read(lambda unit: unit.journal.list(EventId(0), 100_000, wanted=wanted))
    return [(envelope.event.kind, getattr(envelope.event, "run_id", 0)) for envelope in found]


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("max_tasks", "count"), [(0, 2_000), (50, 500)])
async def test_a_fan_of_very_many_tasks_ends_in_good_time(tmp_path: Path, max_tasks: int, count: int) -> None:
    names = [f"task{number}" for number in range(count)]
    async with open_world(tmp_path, max_tasks=max_tasks) as world:
        await world.register(
            container("first"), *(container(name, needs=["first"]) for name in names), container("last", needs=names)
        )
        async with asyncio.timeout(60):
            key = await world.start_run()
            (run,) = await world.until_over(key)

        assert run.state is RunState.SUCCEEDED
        assert len(set(world.engine.starts)) == len(world.engine.starts) == count + 2
        await world.until_nothing_is_left()


TASKS = ("one", "two", "three", "four", "five")
MAX_TASKS = 4
PARALLELISM = 2
WRITTEN = "the first line"


def random_tasks(chance: Random) -> list[Task]:
    """Make up to five tasks; each may wait for any of those before it, and does something of its own."""
    scripts: list[dict[str, str]] = [
        {},
        {"hold": "true"},
        {"hold": "true", "ignore_sigterm": "true"},
        {"exit_code": "3"},
        {"sleep": "3ms"},
        {"fail_create": "refused"},
        {"fail_start": "refused"},
    ]
    return [
        container(
            name,
            needs={each: chance.choice(list(Requirement)) for each in TASKS[:number] if chance.random() < 0.4},
            log=WRITTEN,
            **chance.choice(scripts),
        )
        for number, name in enumerate(TASKS[: chance.randint(1, len(TASKS))])
    ]


class Play:
    """What users, an engine and an operator do to a server, in an order that a seed decides."""

    def __init__(self, world: World, chance: Random) -> None:
        self.world = world
        self.keys: list[RunKey] = []
        self._chance = chance
        self._moves: tuple[Callable[[], Awaitable[None]], ...] = (
            self.start,
            self.start,
            self.start,
            self.cancel,
            self.cancel_task,
            self.cancel_task,
            self.restart,
            self.toggle,
            self.release,
            self.release,
            self.release,
            self.lose,
        )
        self._is_away = False

    async def move(self) -> None:
        await self._chance.choice(self._moves)()
        for _ in range(self._chance.choice((0, 1, 5, 50))):
            await asyncio.sleep(0)

    async def start(self) -> None:
        self.keys.append(await self.world.start_run())

    async def cancel(self) -> None:
        if self.keys:
            await self.world.cancel(self._chance.choice(self.keys), force=self._chance.random() < 0.5)

    async def cancel_task(self) -> None:
        key = self._chance.choice(self.keys) if self.keys else None
        tasks = [] if key is None else list(await self.world.tasks(key))
        if key is not None and tasks:
            await self.world.cancel_task(key, self._chance.choice(tasks), force=self._chance.random() < 0.5)

    async def restart(self) -> None:
        await self.world.stop()
        await self.world.start()

    async def toggle(self) -> None:
        self._is_away = not self._is_away
        if self._is_away:
            self.world.engine.disconnect()
        else:
            self.world.engine.reconnect()

    async def release(self) -> None:
        attempts = self.world.engine.starts
        if attempts:
            self._release(self._chance.choice(attempts))

    async def lose(self) -> None:
        for attempt in self.world.engine.starts:
            found = (await self.world.tasks(attempt.key.of_run))[attempt.key.task]
            if found.state is TaskState.RUNNING and self._chance.random() < 0.2:
                with suppress(NotFound):
                    self.world.engine.lose(attempt)
                return

    async def end(self) -> None:
        """Let everything come to its end: what holds is released, again and again, as new tasks start."""
        self.world.engine.reconnect()
        waiting = asyncio.gather(self.world.until_over(*self.keys))
        while not waiting.done():
            for attempt in self.world.engine.starts:
                self._release(attempt)
            await asyncio.wait({waiting}, timeout=0.01)
        await self.world.until_nothing_is_left()

    def _release(self, attempt: AttemptId) -> None:
        with suppress(NotFound):
            self.world.engine.release(attempt)


async def check(play: Play) -> None:
    world = play.world
    assert len(set(world.engine.starts)) == len(world.engine.starts)
    assert world.parts.troubles.notes() == ()
    for key in play.keys:
        run, tasks = await world.run(key), await world.tasks(key)
        kinds = [kind for kind in await world.kinds(key) if not kind.endswith("CANCEL_REQUESTED")]
        assert run.state.is_terminal
        assert all(found.state.is_terminal for found in tasks.values())
        assert (kinds[0], kinds[-1]) == ("RUN_STARTED", "RUN_COMPLETED")
        assert kinds[1:2] == (["RUN_ADMITTED"] if tasks else ["RUN_COMPLETED"])
        assert kinds.count("TASKRUN_CREATED") == kinds.count("TASKRUN_COMPLETED") == len(tasks)
        assert kinds.count("TASKRUN_STARTED") == sum(found.started_at is not None for found in tasks.values())
        for task, found in tasks.items():
            if found.state is TaskState.SUCCEEDED:
                assert await world.log(key, task) == WRITTEN.encode() + b"\n"


def running(world: World) -> int:
    return sum(each.state is ContainerState.RUNNING for each in world.engine._containers.values())  # noqa: SLF001


async def play(seed: int) -> None:
    chance = Random(seed)
    with TemporaryDirectory() as folder:
        async with open_world(Path(folder), max_tasks=MAX_TASKS, parallelism_limit=PARALLELISM) as world:
            await world.register(*random_tasks(chance))
            played = Play(world, chance)
            for _ in range(chance.randint(5, 40)):
                await played.move()
                assert running(world) <= MAX_TASKS
            async with asyncio.timeout(60):
                await played.end()
            await check(played)


@pytest.mark.timeout(120)
@settings(max_examples=12)
@given(seed=st.integers(0, 2**32))
def test_every_run_comes_to_its_end_whatever_happens_to_the_server(seed: int) -> None:
    asyncio.run(play(seed))
