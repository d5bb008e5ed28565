"""The actors' only way to store what a signal changed: no caller, no permission check, one commit each."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import assert_never

from gofer.core.errors import NotFound, Unreadable
from gofer.core.ids import AttemptId, InstanceId, RunKey, TaskId, TaskRunKey
from gofer.core.pipeline import Task
from gofer.core.run import Plan, Progress, Run, RunState, TaskRun
from gofer.core.step import RunChanged, Step, TaskRunChanged
from gofer.services.fresh_runs import FreshRuns
from gofer.sqlite import Database
from gofer.storage.runs import StaleRevision as StaleRevision  # noqa: PLC0414 (the workers' name for it)
from gofer.storage.unit import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A run as its actor needs it."""

    plan: Plan
    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedRun:
    """A run that waits for admission, and its pipeline's own limit at its version (0 = none)."""

    key: RunKey
    parallelism: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the run scheduler starts from: all queued runs in their order, and all runs that are under way."""

    queued: tuple[QueuedRun, ...]
    live: tuple[RunKey, ...]
    last_event: int


class RunProgress:
    """Loads runs for their actors and stores what the machine decided."""

    def __init__(self, *, database: Database[Unit], engine: str, fresh: FreshRuns | None = None) -> None:
        """Use the engine name for all attempts of runs that are admitted from now on; what is `fresh` is not read."""
        self._database = database
        self._engine = engine
        self._fresh = fresh or FreshRuns()

    async def load(self, key: RunKey) -> Loaded:
        """Read a run, its plan and its progress. Raises `NotFound`, and `Unreadable` for one that can only be ended."""
        fresh = self._fresh.take(key)
        if fresh is not None:
            return self._loaded(fresh.run, fresh.tasks, {})

        def read(unit: Unit) -> Loaded:
            run = unit.runs.get_run(key)
            if run.damage and not run.state.is_terminal:
                raise Unreadable(f"the stored run can't be read, {run.damage}: start another", run=str(key))
            config = unit.pipelines.find_config(key.of_pipeline, run.version)
            if config is None:
                raise Unreadable(f"version {run.version} of the pipeline is not stored any more", run=str(key))
            if config.damage:
                what = f"version {run.version} of the pipeline can't be read, {config.damage}"
                raise Unreadable(f"{what}: register and deploy it again", run=str(key))
            task_runs = {} if run.state is RunState.PENDING else unit.runs.all_task_runs(key)
            return self._loaded(run, config.tasks, task_runs)

        return await self._database.read(read)

    async def salvage(self, key: RunKey) -> Loaded:
        """Read a run whose plan is not to be trusted, with as much of a plan as ending it takes. Raises `NotFound`.

        Its tasks are those that have rows, and none waits for another.
        """

        def read(unit: Unit) -> tuple[Run, dict[TaskId, TaskRun]]:
            return unit.runs.get_run(key), unit.runs.all_task_runs(key)

        run, task_runs = await self._database.read(read)
        return self._loaded(run, tuple(Task(id=task, image="") for task in task_runs), task_runs)

    def _loaded(self, run: Run, tasks: tuple[Task, ...], task_runs: Mapping[TaskId, TaskRun]) -> Loaded:
        plan = Plan.of(run, tasks, engine=self._engine)
        return Loaded(plan=plan, progress=Progress.of(plan, run, task_runs))

    async def store(self, run: Run, step: Step) -> Run:
        """Store a step's changes and events in one commit; the run's new revision comes back.

        What ends a task run revokes its token.
        Raises `StaleRevision` where the stored run is not the given one any more: nothing is stored then.
        """

        def write(unit: Unit) -> Run:
            changed = run
            task_runs: list[TaskRun] = []
            for change in step.changes:
                match change:
                    case RunChanged():
                        changed = change.run
                    case TaskRunChanged():
                        task_runs.append(change.task_run)
                    case _:
                        assert_never(change)
            stored = unit.runs.update_run(changed)
            unit.runs.upsert_task_runs(task_runs)
            for task_run in task_runs:
                if task_run.state.is_terminal:
                    unit.tokens.delete_of_task_run(task_run.key)
            for event in step.events:
                unit.record(event)
            return stored

        return await self._database.write(write)

    async def standing(self) -> Standing:
        """Read every queued run in its order, and every run under way; what is broken in one harms no other."""

        def read(unit: Unit) -> Standing:
            return Standing(
                queued=tuple(QueuedRun(key=key, parallelism=limit) for key, limit in unit.runs.queued()),
                live=tuple(unit.runs.live()),
                last_event=unit.journal.last_id(),
            )

        return await self._database.read(read)

    async def queued(self, keys: Sequence[RunKey]) -> dict[RunKey, QueuedRun]:
        """Find what admission needs to know of some runs; those that are gone are left out."""
        fresh = [found for key in keys if (found := self._fresh.find(key)) is not None]
        known = {each.run.key: QueuedRun(key=each.run.key, parallelism=each.parallelism) for each in fresh}
        others = [key for key in keys if key not in known]

        def read(unit: Unit) -> dict[RunKey, QueuedRun]:
            found: dict[RunKey, QueuedRun] = {}
            for key in others:
                with suppress(NotFound):
                    found[key] = QueuedRun(key=key, parallelism=unit.runs.parallelism_of(key))
            return found

        return known | await self._database.read(read) if others else known

    async def engines(self) -> tuple[str, ...]:
        """Name every engine that a task run was ever given to."""
        return tuple(await self._database.read(lambda unit: unit.runs.engines()))

    async def live_task_runs(self) -> tuple[TaskRunKey, ...]:
        """Name every task run that an engine may hold a container of."""
        return tuple(key for key, _ in await self._database.read(lambda unit: unit.runs.live_attempts()))

    async def live_attempts(self, instance: InstanceId) -> frozenset[str]:
        """Name every attempt that a live task run holds; all others of this instance are left over."""

        def read(unit: Unit) -> frozenset[str]:
            return frozenset(
                str(AttemptId(key=key, number=number, instance=instance)) for key, number in unit.runs.live_attempts()
            )

        return await self._database.read(read)
