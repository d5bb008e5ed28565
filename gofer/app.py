"""The composition root: the only module that names every concrete class.

`running_app` reads top to bottom as the server's start; leaving it is the shutdown, in reverse.
"""

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

import structlog

from gofer import __version__
from gofer.api.caller import TokenCheck
from gofer.api.composite import Composite
from gofer.api.handlers.events import EventHandlers
from gofer.api.handlers.health import Health
from gofer.api.handlers.namespaces import NamespaceHandlers
from gofer.api.handlers.not_due import NotDueHandlers
from gofer.api.handlers.objects import ObjectHandlers
from gofer.api.handlers.pipelines import PipelineHandlers
from gofer.api.handlers.reflection import Reflection
from gofer.api.handlers.runs import RunHandlers
from gofer.api.handlers.secrets import SecretHandlers
from gofer.api.handlers.system import SystemHandlers
from gofer.api.handlers.task_runs import TaskRunHandlers
from gofer.api.handlers.tokens import TokenHandlers
from gofer.api.listeners import Listeners, callback_address
from gofer.api.server import ApiServer
from gofer.bus import Bus
from gofer.clock import Clock, SystemClock
from gofer.commit import COMMIT
from gofer.config.settings import MIB, Settings
from gofer.core.events import Envelope
from gofer.core.ids import InstanceId, TaskRunKey
from gofer.engines.opened import OpenedEngines
from gofer.engines.protocols import ObjectStoreEngine, SchedulerEngine, SecretStoreEngine
from gofer.engines.registry import EngineRegistry
from gofer.files import data_folder_lock, ensure_private_folder
from gofer.lifecycle import allow_many_files, running
from gofer.logs import LogStore
from gofer.sealing import Sealer, open_sealer
from gofer.services.blobs import SealedBlobs
from gofer.services.events import Events
from gofer.services.global_secrets import GlobalSecrets
from gofer.services.injected_tokens import Callback, InjectedTokens
from gofer.services.known_tokens import KnownTokens
from gofer.services.masks import AttemptMasks, NeededBlobs
from gofer.services.namespaces import Namespaces
from gofer.services.object_blobs import ObjectBlobs, needed_content
from gofer.services.object_rules import ObjectLimits
from gofer.services.object_values import ObjectValues
from gofer.services.objects import Objects
from gofer.services.pipelines import Pipelines
from gofer.services.progress import RunProgress
from gofer.services.rotation import KeyRotation
from gofer.services.runs import Runs
from gofer.services.secret_values import SecretValues
from gofer.services.secrets import PipelineSecrets
from gofer.services.system import System, SystemInfo
from gofer.services.task_runs import TaskRuns
from gofer.services.tokens import Tokens
from gofer.sqlite import Database, GroupStep, open_database
from gofer.storage.unit import Unit
from gofer.tls import certificates_of, server_context
from gofer.workers.dag_executor import DagExecutor
from gofer.workers.launching import Launching, LaunchStep
from gofer.workers.own_engine import EngineStart, engine_notes
from gofer.workers.recovery import Recovery
from gofer.workers.rendering import Rendering
from gofer.workers.run_scheduler import RunScheduler
from gofer.workers.slot_gate import SlotGate
from gofer.workers.troubles import Troubles
from gofer_sdk.rules.references import ReferenceKind

_log = structlog.get_logger(__name__)

SWITCH_INTERVAL_SECONDS: Final = 0.0005
"""How long a thread may hold the interpreter: with Python's own 5 ms, one busy thread makes the loop wait 100 ms."""
COLLECT_AFTER: Final = (10_000, 10, 10)
"""Of new objects, and of collections of the younger ones. Python's own 700 makes a full collection of every large
message while it is being read, and each of them 70 ms long."""
FOR_EVER: Final = timedelta(days=36_500)
PROCESS_FOLDER: Final = "processes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """Where tests look in: told of launch steps before they are taken, of a commit's steps, and of committed events.

    `group` is called on the database writer's thread, the others on the loop.
    """

    observe: Callable[[LaunchStep, TaskRunKey], None] = field(default=lambda _step, _key: None)
    group: Callable[[GroupStep], None] = field(default=lambda _step: None)
    committed: Callable[[Envelope], None] = field(default=lambda _envelope: None)


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A running server, as those who started it see it."""

    settings: Settings
    engine: SchedulerEngine
    database: Database[Unit]
    bus: Bus[Envelope]
    server: ApiServer


@dataclass(frozen=True, slots=True, kw_only=True)
class _Base:
    """What everything else stands on."""

    settings: Settings
    clock: Clock
    probes: Probes
    bus: Bus[Envelope]
    database: Database[Unit]
    known_tokens: KnownTokens
    injected: InjectedTokens
    sealer: Sealer
    instance: InstanceId
    blobs: SealedBlobs
    objects: ObjectBlobs
    engines: OpenedEngines
    engine: SchedulerEngine
    logs: LogStore
    troubles: Troubles


@asynccontextmanager
async def running_app(
    settings: Settings, *, clock: Clock | None = None, probes: Probes | None = None
) -> AsyncIterator[App]:
    """Run a server for the length of the block, which begins when the API answers.

    Raises `FailedPrecondition` and `InvalidInput`, in words, where the settings, the data folder or a port are unfit.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    settings = _with_open_files(settings, allow_many_files())
    async with AsyncExitStack() as stack:
        base = await _open_base(stack, settings, clock=clock or SystemClock(), probes=probes or Probes())
        await _run_workers(stack, base)
        server = await _serve_api(stack, base)
        yield App(settings=settings, engine=base.engine, database=base.database, bus=base.bus, server=server)


def _with_open_files(settings: Settings, before: int) -> Settings:
    """Give tasks that are processes of this machine the limit that held before it was raised for the server."""
    process = settings.scheduler.process
    if process.open_files:
        return settings
    scheduler = replace(settings.scheduler, process=replace(process, open_files=before))
    return replace(settings, scheduler=scheduler)


async def _open_base(stack: AsyncExitStack, settings: Settings, *, clock: Clock, probes: Probes) -> _Base:
    folder = settings.data_folder
    await asyncio.to_thread(ensure_private_folder, folder)
    stack.enter_context(data_folder_lock(folder))
    await asyncio.to_thread(ensure_private_folder, settings.task_run_logs_dir)  # else every task would find out
    sealer = await asyncio.to_thread(open_sealer, settings)
    bus: Bus[Envelope] = Bus()
    known_tokens = KnownTokens()
    database = await _open_storage(stack, settings, _publishing(bus, known_tokens, probes), clock=clock, probes=probes)
    stack.callback(bus.close)
    await Namespaces(database=database).ensure_default()
    await Tokens(database=database).revoke_left_over()
    await Pipelines(
        database=database, sealer=sealer, version_limit=settings.pipeline_version_limit
    ).fail_running_deployments()
    registry = EngineRegistry()
    engines = await stack.enter_async_context(
        OpenedEngines(lambda name: registry.scheduler(name, _engine_settings(settings, name)))
    )
    instance = await database.read(lambda unit: unit.meta.instance_id())
    troubles = Troubles()
    return _Base(
        settings=settings,
        clock=clock,
        probes=probes,
        bus=bus,
        database=database,
        known_tokens=known_tokens,
        injected=InjectedTokens(database=database, known=known_tokens),
        sealer=sealer,
        instance=instance,
        blobs=SealedBlobs(engine=await _open_secrets(stack, settings, registry), sealer=sealer, instance=instance),
        objects=ObjectBlobs(engine=await _open_objects(stack, settings, registry), instance=instance),
        engines=engines,
        engine=await _own_engine(stack, engines, settings, clock=clock, troubles=troubles),
        logs=LogStore(settings.task_run_logs_dir),
        troubles=troubles,
    )


def _publishing(bus: Bus[Envelope], known: KnownTokens, probes: Probes) -> Callable[[Sequence[Unit]], None]:
    def publish(units: Sequence[Unit]) -> None:
        # First, so that nobody who hears of the change is let in by what it revoked.
        known.revoked([token for unit in units for token in unit.tokens.revoked])
        envelopes = [envelope for unit in units for envelope in unit.recorded]
        for envelope in envelopes:
            probes.committed(envelope)
        bus.publish(envelopes)

    return publish


async def _open_storage(
    stack: AsyncExitStack,
    settings: Settings,
    publish: Callable[[Sequence[Unit]], None],
    *,
    clock: Clock,
    probes: Probes,
) -> Database[Unit]:
    return await stack.enter_async_context(
        open_database(
            settings.server.storage_path,
            migrations="gofer.storage.migrations",
            make_unit=Unit,
            clock=clock,
            after_commit=publish,
            observe=probes.group,
        )
    )


async def _open_secrets(stack: AsyncExitStack, settings: Settings, registry: EngineRegistry) -> SecretStoreEngine:
    name = settings.secret_store.engine
    block: object = settings.secret_store.sqlite if name == "sqlite" else {}
    return await stack.enter_async_context(registry.secret_store(name, block))


async def _open_objects(stack: AsyncExitStack, settings: Settings, registry: EngineRegistry) -> ObjectStoreEngine:
    store = settings.object_store
    blocks: dict[str, object] = {"sqlite": store.sqlite, "filesystem": store.filesystem}
    return await stack.enter_async_context(registry.object_store(store.engine, blocks.get(store.engine, {})))


async def _own_engine(
    stack: AsyncExitStack, engines: OpenedEngines, settings: Settings, *, clock: Clock, troubles: Troubles
) -> SchedulerEngine:
    """Open the configured engine, or wait for it; dev mode takes the process engine where Docker does not answer."""
    name = settings.scheduler.engine
    fallback = "process" if settings.dev_mode and name == "docker" else ""
    engine = await EngineStart(engines=engines, clock=clock, troubles=troubles, fallback=fallback).open(stack, name)
    for note in engine_notes(engine):
        _log.warning(note)
    return engine


def _engine_settings(settings: Settings, name: str) -> object:
    match name:
        case "docker":
            return settings.scheduler.docker
        case "process":
            folder = settings.scheduler.process.folder or str(settings.data_folder / PROCESS_FOLDER)
            return replace(settings.scheduler.process, folder=folder)
        case _:
            return settings.scheduler.other.get(name, {})


async def _run_workers(stack: AsyncExitStack, base: _Base) -> None:
    settings = base.settings
    await base.blobs.sweep(NeededBlobs(database=base.database, instance=base.instance))
    await base.objects.sweep(needed_content(base.database))
    stop_timeout = settings.task_run_stop_timeout
    parts = Launching(
        engine_of=base.engines.get,
        instance=base.instance,
        logs=base.logs,
        slots=SlotGate(settings.scheduler.max_tasks),
        opener=base.sealer,
        rendering=_rendering(base),
        masks=AttemptMasks(blobs=base.blobs),
        clock=base.clock,
        stop_timeout=FOR_EVER if stop_timeout < timedelta() else stop_timeout,
        observe=base.probes.observe,
        troubles=base.troubles,
    )
    progress = RunProgress(database=base.database, engine=base.engine.name)
    recovery = Recovery(engine=base.engine.name, progress=progress, parts=parts)
    await stack.enter_async_context(running(recovery, grace=timedelta()))
    executor = DagExecutor(bus=base.bus, progress=progress, parts=parts)
    await stack.enter_async_context(running(executor, grace=_share(settings, 5)))
    scheduler = RunScheduler(
        bus=base.bus,
        progress=progress,
        take=executor.take,
        parallelism_limit=settings.run_parallelism_limit,
        clock=base.clock,
    )
    await stack.enter_async_context(running(scheduler, grace=_share(settings, 1)))


def _rendering(base: _Base) -> Rendering:
    values = SecretValues(database=base.database, blobs=base.blobs)
    objects = ObjectValues(_objects(base))
    return Rendering(
        {
            ReferenceKind.PIPELINE_SECRET: values.of_pipeline,
            ReferenceKind.GLOBAL_SECRET: values.of_global,
            ReferenceKind.PIPELINE_OBJECT: objects.of_pipeline,
            ReferenceKind.RUN_OBJECT: objects.of_run,
        },
        inject=base.injected.variables,
    )


def _share(settings: Settings, parts: int) -> timedelta:
    """Give that many fifteenths of the time that a stop may take in all."""
    return settings.server.shutdown_timeout * parts / 15


async def _serve_api(stack: AsyncExitStack, base: _Base) -> ApiServer:
    listeners = Listeners(
        services=(_api(base), Health(), Reflection()),
        tokens=TokenCheck(database=base.database, known=base.known_tokens, clock=base.clock),
        settings=base.settings,
        tls=await asyncio.to_thread(server_context, base.settings, now=base.clock.now()),
        drain_grace=_share(base.settings, 5),
    )
    server = await listeners.open(stack)
    host = callback_address(base.settings, server.address, isolated=base.engine.capabilities.isolates)
    tls_ca = await asyncio.to_thread(certificates_of, base.settings)
    base.injected.listening(Callback(host=str(host), tls_ca=tls_ca))
    return server


def _api(base: _Base) -> Composite:
    limit = base.settings.server.storage_results_limit
    database = base.database
    pipelines = Pipelines(database=database, sealer=base.sealer, version_limit=base.settings.pipeline_version_limit)
    runs = Runs(database=database, ingress_open=not base.settings.ignore_pipeline_run_events)
    return Composite(
        EventHandlers(events=Events(database=database, bus=base.bus)),
        NamespaceHandlers(namespaces=Namespaces(database=database), results_limit=limit),
        NotDueHandlers(),
        ObjectHandlers(objects=_objects(base), most_bytes_at_once=base.settings.max_message_bytes - MIB),
        PipelineHandlers(pipelines=pipelines, results_limit=limit),
        RunHandlers(runs=runs, engine=base.engine.name, results_limit=limit),
        _secret_handlers(base),
        SystemHandlers(system=System(info=_info(base), notes=base.troubles.notes)),
        TaskRunHandlers(task_runs=TaskRuns(database=database, bus=base.bus, logs=base.logs), results_limit=limit),
        TokenHandlers(tokens=Tokens(database=database), results_limit=limit),
    )


def _objects(base: _Base) -> Objects:
    store = base.settings.object_store
    limits = ObjectLimits(
        pipeline_objects=store.pipeline_object_limit,
        run_expiry=store.run_object_expiry,
        size_bytes=store.object_size_limit_bytes,
    )
    return Objects(database=base.database, blobs=base.objects, limits=limits)


def _secret_handlers(base: _Base) -> SecretHandlers:
    database, blobs = base.database, base.blobs
    return SecretHandlers(
        pipeline_secrets=PipelineSecrets(database=database, blobs=blobs),
        global_secrets=GlobalSecrets(database=database, blobs=blobs),
        rotation=KeyRotation(
            database=database,
            blobs=blobs,
            sealer=base.sealer,
            needed=NeededBlobs(database=database, instance=base.instance),
        ),
    )


def _info(base: _Base) -> SystemInfo:
    return SystemInfo(
        version=__version__,
        commit=COMMIT,
        dev_mode=base.settings.dev_mode,
        scheduler_engine=base.engine.name,
        instance=base.instance,
        notes=engine_notes(base.engine),
    )


def settle() -> None:
    """Have garbage collections look at little, and seldom: the loop waits for them, in whichever thread they happen."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
