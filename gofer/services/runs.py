"""Runs: start, start again, look up, cancel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from types import MappingProxyType

from gofer.clock import Clock
from gofer.core.access import Caller
from gofer.core.errors import FailedPrecondition, InvalidInput, PipelineDisabled
from gofer.core.events import RunCancelRequested, RunRepairRequested, RunStarted
from gofer.core.ids import PipelineId, PipelineKey, RunId, RunKey, Version
from gofer.core.machine import cancel_queued
from gofer.core.pipeline import LiveVersion, PipelineState
from gofer.core.run import FreshRun, Initiator, InitiatorType, Run, RunState, StopRequest
from gofer.core.step import RunChanged
from gofer.services.hold import Hold
from gofer.services.ingress import Ingress
from gofer.services.namespaces import resolve_namespace
from gofer.sqlite import Database
from gofer.storage.page import Listed, Page
from gofer.storage.unit import Unit
from gofer_sdk.rules.run import initiator_faults, run_variables_faults
from gofer_sdk.rules.text import list_faults
from gofer_sdk.rules.timeouts import timeout_fault, timeout_of

REQUEST_ID_LIFE = timedelta(hours=24)
"""How long the same request id of the same pipeline gives the same run."""

MAX_REQUEST_ID_CHARACTERS = 256

_HOLD_OF_CANCELS = timedelta(milliseconds=20)  # somebody waits for the last of them


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRun:
    """What a caller asks for. An empty `namespace` means the caller's own; an empty `request_id` promises nothing.

    An empty `timeout` means that of the version; 0 means none.
    """

    namespace: str
    pipeline: str
    variables: Mapping[str, str]
    initiator: Initiator | None
    request_id: str = ""
    timeout: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a request names, as it was sent; checked and looked up in the transaction that needs it.

    An empty `namespace` means the caller's own. `run` and `task` stay unset where the request is about more than one.
    """

    namespace: str
    pipeline: str
    run: int = 0
    task: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRun:
    """What a caller asks for: another run with the variables of an old one.

    Without an `initiator` it is that of the old run. With `same_version` it is of the version that the old one had,
    else of the live one. `request_id` is as that of `StartRun`, which it shares its ids with.
    """

    target: Target
    initiator: Initiator | None = None
    same_version: bool = False
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedRun:
    """The run, and whether an earlier call with the same request id made it."""

    run: Run
    existing: bool


class Runs:
    """The use cases of runs. Every method raises `NotFound` for what does not exist."""

    def __init__(self, *, database: Database[Unit], ingress: Ingress, clock: Clock) -> None:
        """Refuse new runs while the ingress is closed."""
        self._database = database
        self._ingress = ingress
        self._clock = clock

    async def start(self, caller: Caller, command: StartRun) -> StartedRun:
        """Store a run as PENDING and return at once; the run scheduler admits it when it may start.

        Raises `InvalidInput`, `PipelineDisabled`, and `FailedPrecondition` where no version is live or the server takes
        no new runs.
        """
        initiator = command.initiator or Initiator(type=InitiatorType.UNKNOWN, name="", reason="")
        _check(initiator, command.request_id, variables=command.variables, run_timeout=command.timeout)

        def write(unit: Unit) -> StartedRun:
            key = pipeline_key(unit, caller, Target(namespace=command.namespace, pipeline=command.pipeline))
            earlier = _earlier(unit, key, command.request_id)
            if earlier is not None:
                return earlier
            self._ingress.require_open()
            _require_active(unit, key)
            live = _live_version(unit, key)
            wanted = _Wanted(
                version=live.version,
                initiator=initiator,
                variables={name: value for name, value in command.variables.items() if name},
                request_id=command.request_id,
                timeout=timeout_of(command.timeout) if command.timeout else live.run_timeout,
            )
            started = _insert(unit, key, wanted)
            if live.tasks is not None:
                unit.begun.append(FreshRun(run=started.run, parallelism=live.parallelism, tasks=live.tasks))
            return started

        return await self._database.write(write)

    async def retry(self, caller: Caller, command: RetryRun) -> StartedRun:
        """Store another run with the variables of an old one, whether that has ended or not. Raises as `start`.

        A timeout that the old run was given for itself holds for the new one, too.
        """
        if command.initiator is not None:
            _check(command.initiator, command.request_id)

        def write(unit: Unit) -> StartedRun:
            old = unit.runs.get_run(run_key(unit, caller, command.target))
            key = old.key.of_pipeline
            earlier = _earlier(unit, key, command.request_id)
            if earlier is not None:
                return earlier
            self._ingress.require_open()
            _require_active(unit, key)
            if old.damage:
                raise FailedPrecondition(f"run {old.key} can't be started again, {old.damage}: start a new one")
            version = old.version if command.same_version else _live_version(unit, key).version
            wanted = _Wanted(
                version=version,
                initiator=command.initiator or old.initiator,
                variables=old.variables,
                request_id=command.request_id,
                timeout=_timeout_again(unit, old, version),
            )
            return _insert(unit, key, wanted)

        return await self._database.write(write)

    async def repair(self, caller: Caller, target: Target) -> None:
        """Have the workers look after a run that has not ended, if none does; one that is looked after goes on.

        Raises `PermissionDenied` for whoever is no admin.
        """
        caller.require_admin()

        def write(unit: Unit) -> None:
            run = unit.runs.get_run(run_key(unit, caller, target))
            if not run.state.is_terminal:
                unit.record(RunRepairRequested(namespace_id=run.namespace, pipeline_id=run.pipeline, run_id=run.id))

        await self._database.write(write)

    async def get(self, caller: Caller, target: Target) -> Run:
        """Give one run."""
        return await self._database.read(lambda unit: unit.runs.get_run(run_key(unit, caller, target)))

    async def list(self, caller: Caller, target: Target, page: Page) -> Listed[Run]:
        """Give a pipeline's runs, newest first; none for a pipeline that does not exist."""
        return await self._database.read(lambda unit: unit.runs.list_runs(pipeline_key(unit, caller, target), page))

    async def cancel(self, caller: Caller, target: Target, *, force: bool) -> None:
        """Store the request and return; a queued run is CANCELLED at once, one that has ended stays as it is."""

        def write(unit: Unit) -> None:
            found = unit.runs.get_run(run_key(unit, caller, target))
            request_cancel(unit, found, force=force)

        await self._database.write(write)

    async def cancel_all(self, caller: Caller, target: Target, *, force: bool) -> tuple[RunId, ...]:
        """Ask the same of every run of a pipeline that has not ended; their ids, oldest first.

        They are asked some at a time, so that others can write meanwhile: who goes away may have asked a part of them.
        """
        key, found = await self._database.read(lambda unit: _unfinished(unit, caller, target))
        asked: list[RunId] = []
        begin = 0
        while begin < len(found):
            begin, more = await self._database.write(partial(self._cancel_some, key, found, begin, force=force))
            asked += more
        return tuple(sorted(asked))

    def _cancel_some(
        self, key: PipelineKey, runs: Sequence[RunId], begin: int, unit: Unit, *, force: bool
    ) -> tuple[int, Sequence[RunId]]:
        """Ask some of the runs, from one place on; give the next place, and those that had not ended."""
        hold = Hold(self._clock, _HOLD_OF_CANCELS)
        asked: list[RunId] = []
        for place in range(begin, len(runs)):
            found = unit.runs.find_run(RunKey(namespace=key.namespace, pipeline=key.pipeline, run=runs[place]))
            if found is not None and not found.state.is_terminal:
                request_cancel(unit, found, force=force)
                asked.append(found.id)
            if hold.is_over():
                return place + 1, asked
        return len(runs), asked


def _unfinished(unit: Unit, caller: Caller, target: Target) -> tuple[PipelineKey, list[RunId]]:
    """Name the runs to cancel: the last in the queue first, so that none gets the place of one that ends before it."""
    key = pipeline_key(unit, caller, target)
    return key, [*reversed(unit.runs.queued_of(key)), *unit.runs.live_of(key)]


def request_cancel(unit: Unit, run: Run, *, force: bool) -> None:
    """Store that a run is to end, and its event; a queued run ends at once, one that has ended stays as it is."""
    if run.state.is_terminal:
        return
    request = StopRequest(at=unit.now, force=force)
    if run.state is RunState.PENDING:
        _end_queued(unit, run, request)
    elif run.stop_request is None or (force and not run.stop_request.force):
        unit.runs.set_run_stop_request(run.key, request)
        unit.record(
            RunCancelRequested(namespace_id=run.namespace, pipeline_id=run.pipeline, run_id=run.id, force=int(force))
        )


def _end_queued(unit: Unit, run: Run, request: StopRequest) -> None:
    step = cancel_queued(run, request, at=unit.now)
    for change in step.changes:
        if isinstance(change, RunChanged):
            unit.runs.update_run(change.run)
    for event in step.events:
        unit.record(event)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """A run to be, all checked."""

    version: Version
    initiator: Initiator
    variables: Mapping[str, str]
    request_id: str
    timeout: timedelta | None


def _insert(unit: Unit, key: PipelineKey, wanted: _Wanted) -> StartedRun:
    run = unit.runs.insert_run(
        Run(
            namespace=key.namespace,
            pipeline=key.pipeline,
            id=unit.runs.next_run_id(key),
            version=wanted.version,
            state=RunState.PENDING,
            initiator=wanted.initiator,
            variables=wanted.variables,
            request_id=wanted.request_id,
            timeout=wanted.timeout,
            created_at=unit.now,
        )
    )
    unit.record(
        RunStarted(
            namespace_id=run.namespace,
            pipeline_id=run.pipeline,
            run_id=run.id,
            initiator_type=run.initiator.type,
            initiator_name=run.initiator.name,
        )
    )
    return StartedRun(run=run, existing=False)


def _timeout_again(unit: Unit, old: Run, version: Version) -> timedelta | None:
    """Give what the old run was given for itself, else what the version says."""
    key = old.key.of_pipeline
    is_its_own = old.timeout != unit.pipelines.get_run_timeout(key, old.version)
    return old.timeout if is_its_own else unit.pipelines.get_run_timeout(key, version)


def _earlier(unit: Unit, key: PipelineKey, request_id: str) -> StartedRun | None:
    """Give the run that an earlier call with this request id made, if any did."""
    found = unit.runs.find_by_request(key, request_id, unit.now - REQUEST_ID_LIFE) if request_id else None
    return None if found is None else StartedRun(run=found, existing=True)


def _check(
    initiator: Initiator,
    request_id: str,
    *,
    variables: Mapping[str, str] = MappingProxyType({}),
    run_timeout: str = "",
) -> None:
    faults = [*initiator_faults(initiator.name, initiator.reason), *run_variables_faults(variables)]
    if len(request_id) > MAX_REQUEST_ID_CHARACTERS:
        faults.append(f"request_id: at most {MAX_REQUEST_ID_CHARACTERS} characters")
    fault = timeout_fault(run_timeout, what="timeout")
    if fault is not None:
        faults.append(fault)
    if faults:
        raise InvalidInput(list_faults(faults), faults=tuple(faults))


def _require_active(unit: Unit, key: PipelineKey) -> None:
    if unit.pipelines.get_kept(key).state is not PipelineState.ACTIVE:
        message = f"pipeline {key} is disabled; enable it with `gofer pipeline enable {key.pipeline}`"
        raise PipelineDisabled(message, namespace=key.namespace, pipeline=key.pipeline)


def _live_version(unit: Unit, key: PipelineKey) -> LiveVersion:
    live = unit.pipelines.find_live_version(key)
    if live is None:
        message = f"pipeline {key} has no live version; deploy one with `gofer up` or `gofer pipeline deploy`"
        raise FailedPrecondition(message, namespace=key.namespace, pipeline=key.pipeline)
    return live


def pipeline_key(unit: Unit, caller: Caller, target: Target) -> PipelineKey:
    """Find out which pipeline is meant; it need not exist.

    Raises `InvalidInput`, `PermissionDenied`, and `NotFound` for the namespace.
    """
    if not target.pipeline:
        message = "pipeline_id is missing: name the pipeline"
        raise InvalidInput(message)
    namespace = resolve_namespace(unit, caller, target.namespace)
    key = PipelineKey(namespace=namespace, pipeline=PipelineId(target.pipeline))
    caller.require_pipeline(key)
    return key


def run_key(unit: Unit, caller: Caller, target: Target) -> RunKey:
    """Find out which run is meant; it need not exist. Raises as `pipeline_key`."""
    if target.run <= 0:
        message = "run_id is missing: run ids count from 1"
        raise InvalidInput(message)
    key = pipeline_key(unit, caller, target)
    return RunKey(namespace=key.namespace, pipeline=key.pipeline, run=RunId(target.run))
