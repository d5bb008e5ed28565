"""A server without its API: the real database, services and workers on the memory engine."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from gofer.bus import Bus, Subscription
from gofer.clock import SystemClock
from gofer.core.access import Caller
from gofer.core.errors import InvalidInput
from gofer.core.events import Envelope, Event, RunCompleted
from gofer.core.ids import AttemptId, EventId, RunKey, TaskId
from gofer.core.pipeline import ConfigState, Requirement, Task
from gofer.core.run import InitiatorType, Run, TaskRun
from gofer.engines.protocols import SchedulerEngine
from gofer.engines.scheduler.memory import MemoryEngine
from gofer.engines.secret_store.memory import MemorySecretStore
from gofer.lifecycle import running
from gofer.logs import LogStore
from gofer.sealing import Sealer, SealingKey
from gofer.services.blobs import SealedBlobs
from gofer.services.fresh_runs import FreshRuns
from gofer.services.ingress import Ingress
from gofer.services.masks import AttemptMasks
from gofer.services.namespaces import Namespaces
from gofer.services.progress import RunProgress
from gofer.services.runs import Runs, StartRun, Target
from gofer.services.secret_values import SecretValues
from gofer.services.secrets import PipelineSecrets
from gofer.services.task_runs import LogQuery, TaskRuns
from gofer.sqlite import Database, open_database
from gofer.storage.journal import EventFilter
from gofer.storage.unit import Unit
from gofer.workers.dag_executor import DagExecutor
from gofer.workers.launching import Launching
from gofer.workers.recovery import Recovery
from gofer.workers.rendering import Rendering
from gofer.workers.run_scheduler import RunScheduler
from gofer.workers.slot_gate import SlotGate
from gofer_sdk.rules.references import ReferenceKind
from tests.factories import CLI, KEY, make_config, make_pipeline, make_task
from tests.fakes.waiting import until

CALLER = Caller(name="tester", is_admin=True)
GRACE = timedelta(minutes=1)


@dataclass
class World:
    """What a test holds: services to ask, an engine to script, and a restart."""

    database: Database[Unit]
    bus: Bus[Envelope]
    engine: MemoryEngine
    logs: LogStore
    max_tasks: int = 0
    parallelism_limit: int = 0
    secret_store: MemorySecretStore = field(default_factory=MemorySecretStore)
    fresh: FreshRuns = field(default_factory=FreshRuns)
    sealer: Sealer = field(default_factory=lambda: Sealer(SealingKey(bytes(32))))
    _workers: AsyncExitStack = field(default_factory=AsyncExitStack)

    def __post_init__(self) -> None:
        self.runs = Runs(database=self.database, ingress=Ingress(is_open=True), clock=SystemClock())
        self.task_runs = TaskRuns(database=self.database, bus=self.bus, logs=self.logs)
        self.progress = RunProgress(database=self.database, engine="memory", fresh=self.fresh)

    async def engine_of(self, name: str) -> SchedulerEngine:
        if name != self.engine.name:
            raise InvalidInput(f"there is no engine {name}")
        return self.engine

    async def start(self) -> None:
        """Start the workers, as a server that starts again does."""
        instance = await self.database.read(lambda unit: unit.meta.instance_id())
        self.blobs = SealedBlobs(engine=self.secret_store, sealer=self.sealer, instance=instance)
        self.secrets = PipelineSecrets(database=self.database, blobs=self.blobs)
        self.secret_values = SecretValues(database=self.database, blobs=self.blobs)
        self.parts = Launching(
            engine_of=self.engine_of,
            instance=instance,
            logs=self.logs,
            slots=SlotGate(self.max_tasks),
            opener=self.sealer,
            rendering=Rendering(
                {
                    ReferenceKind.PIPELINE_SECRET: self.secret_values.of_pipeline,
                    ReferenceKind.GLOBAL_SECRET: self.secret_values.of_global,
                }
            ),
            masks=AttemptMasks(blobs=self.blobs),
            clock=SystemClock(),
            stop_timeout=timedelta(minutes=5),
        )
        self.executor = DagExecutor(bus=self.bus, progress=self.progress, parts=self.parts)
        self.scheduler = RunScheduler(
            bus=self.bus,
            progress=self.progress,
            take=self.executor.take,
            parallelism_limit=self.parallelism_limit,
            clock=SystemClock(),
        )
        recovery = Recovery(engine="memory", progress=self.progress, parts=self.parts)
        await self._workers.enter_async_context(running(recovery, grace=GRACE))
        await self._workers.enter_async_context(running(self.executor, grace=GRACE))
        await self._workers.enter_async_context(running(self.scheduler, grace=GRACE))

    async def stop(self) -> None:
        """Stop the workers; containers go on. Writes under way are waited for, as the database's own stop does."""
        await self._workers.aclose()
        await self.database.write(lambda _: None)
        self._workers = AsyncExitStack()
        self.progress = RunProgress(database=self.database, engine="memory")  # what a process knows goes with it

    async def register(self, *tasks: Task, parallelism: int = 0) -> None:
        """Make the pipeline with one live version of these tasks."""

        def write(unit: Unit) -> None:
            unit.pipelines.insert(make_pipeline())
            unit.pipelines.insert_config(make_config(tasks=tasks, parallelism=parallelism, state=ConfigState.LIVE))

        await self.database.write(write)

    async def start_run(self, **variables: str) -> RunKey:
        command = StartRun(
            namespace="", pipeline=KEY.pipeline, variables=variables, initiator=replace(CLI, type=InitiatorType.HUMAN)
        )
        started = await self.runs.start(CALLER, command)
        return started.run.key

    async def run(self, key: RunKey) -> Run:
        return await self.database.read(lambda unit: unit.runs.get_run(key))

    async def tasks(self, key: RunKey) -> dict[TaskId, TaskRun]:
        return await self.database.read(lambda unit: unit.runs.all_task_runs(key))

    async def log(self, key: RunKey, task: str) -> bytes:
        target = Target(namespace="", pipeline=key.pipeline, run=key.run, task=task)
        return b"".join([block.data async for block in self.task_runs.logs(CALLER, target, LogQuery())])

    async def cancel(self, key: RunKey, *, force: bool = False) -> None:
        target = Target(namespace="", pipeline=key.pipeline, run=key.run)
        await self.runs.cancel(CALLER, target, force=force)

    async def cancel_task(self, key: RunKey, task: str, *, force: bool = False) -> None:
        target = Target(namespace="", pipeline=key.pipeline, run=key.run, task=task)
        await self.task_runs.cancel(CALLER, target, force=force)

    async def kinds(self, key: RunKey) -> list[str]:
        """Give the kinds of a run's events, in their order."""
        wanted = EventFilter(kinds=frozenset(), namespace=key.namespace, pipeline=key.pipeline, run=key.run)
        found = await self.database.read(lambda unit: unit.journal.list(EventId(0), 10_000, wanted=wanted))
        return [envelope.event.kind for envelope in found]

    async def execute(self, statement: str, *values: str) -> None:
        """Change rows behind everybody's back."""
        await self.database.write(lambda unit: unit.runs._connection.execute(statement, values))  # noqa: SLF001

    async def owned(self) -> list[AttemptId]:
        """Name the attempts whose containers the engine still has."""
        instance = await self.database.read(lambda unit: unit.meta.instance_id())
        return [each.attempt async for each in self.engine.owned(instance)]

    def slots_waited_for(self) -> int:
        """Count the task runs that wait for a slot."""
        return len(self.parts.slots._granted)  # noqa: SLF001

    async def until_nothing_is_left(self) -> None:
        """Wait until the engine has no container any more."""

        async def is_nothing_left() -> bool:
            return await self.owned() == []

        await until(is_nothing_left)

    async def until_over(self, *keys: RunKey) -> list[Run]:
        """Wait until the runs have ended; what has ended already is not waited for."""
        with self.bus.subscribe(RunCompleted) as completed:
            left = {key for key in keys if not (await self.run(key)).state.is_terminal}
            while left:
                event = (await anext(completed)).event
                assert isinstance(event, RunCompleted)
                left.discard(RunKey(namespace=event.namespace_id, pipeline=event.pipeline_id, run=event.run_id))
        return [await self.run(key) for key in keys]


async def next_event(
    subscription: Subscription[Envelope], kind: type[Event], matches: Callable[[Event], bool] = lambda _: True
) -> Event:
    """Wait for an event of a kind that the test looks for."""
    while True:
        event = (await anext(subscription)).event
        if isinstance(event, kind) and matches(event):
            return event


def container(name: str, *, needs: Mapping[str, Requirement] | Sequence[str] = (), **script: str) -> Task:
    """Make a task that the memory engine plays: `log`, `hold`, `exit_code` and the like."""
    parents = needs if isinstance(needs, Mapping) else dict.fromkeys(needs, Requirement.SUCCESS)
    return make_task(
        name,
        depends_on={TaskId(parent): requirement for parent, requirement in parents.items()},
        variables={f"GOFER_MEMORY_{key.upper()}": value for key, value in script.items()},
    )


@asynccontextmanager
async def open_world(
    tmp_path: Path, *, max_tasks: int = 0, parallelism_limit: int = 0, engine: MemoryEngine | None = None
) -> AsyncIterator[World]:
    bus: Bus[Envelope] = Bus()
    fresh = FreshRuns()

    def publish(units: Sequence[Unit]) -> None:
        for unit in units:
            fresh.stored(unit.begun)
            bus.publish(unit.recorded)

    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(
            open_database(
                tmp_path / "data" / "gofer.db",
                migrations="gofer.storage.migrations",
                make_unit=Unit,
                clock=SystemClock(),
                after_commit=publish,
            )
        )
        await Namespaces(database=database).ensure_default()
        world = World(
            database=database,
            bus=bus,
            engine=await stack.enter_async_context(engine or MemoryEngine(clock=SystemClock())),
            logs=LogStore(tmp_path / "logs"),
            fresh=fresh,
            max_tasks=max_tasks,
            parallelism_limit=parallelism_limit,
        )
        await world.start()
        try:
            yield world
        finally:
            await world.stop()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened
