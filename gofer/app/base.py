"""What everything else stands on: the data folder, the database, the bus, the engines."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta

from gofer.app.stores import engine_settings, open_objects, open_secrets, open_storage, own_engine
from gofer.bus import Bus
from gofer.clock import Clock
from gofer.config.settings import Settings
from gofer.core.events import Envelope
from gofer.core.ids import InstanceId, TaskRunKey
from gofer.engines.opened import OpenedEngines
from gofer.engines.protocols import SchedulerEngine
from gofer.engines.registry import EngineRegistry
from gofer.files import data_folder_lock, ensure_private_folder, refuse_unfinished
from gofer.logs import LogStore, log_threads
from gofer.sealing import Sealer, open_sealer
from gofer.services.admission_gate import AdmissionGate
from gofer.services.blobs import SealedBlobs
from gofer.services.fresh_runs import FreshRuns
from gofer.services.injected_tokens import InjectedTokens
from gofer.services.known_tokens import KnownTokens
from gofer.services.namespaces import Namespaces
from gofer.services.object_blobs import ObjectBlobs
from gofer.services.object_rules import ObjectLimits
from gofer.services.objects import Objects
from gofer.services.pipelines import Pipelines
from gofer.services.pruning import PruneStep
from gofer.services.tokens import Tokens
from gofer.sqlite import Database, GroupStep
from gofer.storage.unit import Unit
from gofer.workers.launching import LaunchStep
from gofer.workers.troubles import Troubles


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """Where tests look in: told of launch steps before they are taken, and of what was done: commits, events, prunes.

    `group` is called on the database writer's thread, the others on the loop.
    """

    observe: Callable[[LaunchStep, TaskRunKey], None] = field(default=lambda _step, _key: None)
    group: Callable[[GroupStep], None] = field(default=lambda _step: None)
    committed: Callable[[Envelope], None] = field(default=lambda _envelope: None)
    pruned: Callable[[PruneStep], None] = field(default=lambda _step: None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What everything else stands on."""

    settings: Settings
    clock: Clock
    probes: Probes
    bus: Bus[Envelope]
    database: Database[Unit]
    known_tokens: KnownTokens
    fresh_runs: FreshRuns
    injected: InjectedTokens
    sealer: Sealer
    instance: InstanceId
    blobs: SealedBlobs
    objects: ObjectBlobs
    engines: OpenedEngines
    engine: SchedulerEngine
    logs: LogStore
    troubles: Troubles
    stop: Callable[[], None]
    gate: AdmissionGate = field(default_factory=AdmissionGate)


async def open_base(
    stack: AsyncExitStack, settings: Settings, *, clock: Clock, probes: Probes, stop: Callable[[], None]
) -> Base:
    """Lock the data folder and open all that it holds, until the stack closes."""
    await _open_folders(stack, settings)
    logs = LogStore(settings.task_run_logs_dir, threads=await stack.enter_async_context(log_threads()))
    sealer = await asyncio.to_thread(open_sealer, settings)
    bus: Bus[Envelope] = Bus()
    known_tokens = KnownTokens()
    fresh_runs = FreshRuns()
    publish = _publishing(bus, known_tokens, fresh_runs, probes)
    database = await open_storage(stack, settings, publish, clock=clock, observe=probes.group)
    stack.callback(bus.close)
    await _settle_stored(database, sealer, settings)
    registry = EngineRegistry()
    engines = await stack.enter_async_context(
        OpenedEngines(lambda name: registry.scheduler(name, engine_settings(settings, name)))
    )
    instance = await database.read(lambda unit: unit.meta.instance_id())
    troubles = Troubles()
    return Base(
        settings=settings,
        clock=clock,
        probes=probes,
        bus=bus,
        database=database,
        known_tokens=known_tokens,
        fresh_runs=fresh_runs,
        injected=InjectedTokens(database=database, known=known_tokens),
        sealer=sealer,
        instance=instance,
        blobs=SealedBlobs(engine=await open_secrets(stack, settings, registry), sealer=sealer, instance=instance),
        objects=ObjectBlobs(engine=await open_objects(stack, settings, registry), instance=instance),
        engines=engines,
        engine=await own_engine(stack, engines, settings, clock=clock, troubles=troubles),
        logs=logs,
        troubles=troubles,
        stop=stop,
    )


async def _settle_stored(database: Database[Unit], sealer: Sealer, settings: Settings) -> None:
    """Have what every database holds, and end what the last server left unfinished."""
    await Namespaces(database=database).ensure_default()
    await Tokens(database=database).revoke_left_over()
    pipelines = Pipelines(database=database, sealer=sealer, version_limit=settings.pipeline_version_limit)
    await pipelines.fail_running_deployments()


async def _open_folders(stack: AsyncExitStack, settings: Settings) -> None:
    folder = settings.data_folder
    await asyncio.to_thread(ensure_private_folder, folder)
    stack.enter_context(data_folder_lock(folder))
    await asyncio.to_thread(refuse_unfinished, folder)
    await asyncio.to_thread(ensure_private_folder, settings.task_run_logs_dir)  # else every task would find out


def _publishing(
    bus: Bus[Envelope], known: KnownTokens, fresh: FreshRuns, probes: Probes
) -> Callable[[Sequence[Unit]], None]:
    def publish(units: Sequence[Unit]) -> None:
        # First, so that nobody who hears of the change is let in by what it revoked.
        known.revoked([token for unit in units for token in unit.tokens.revoked])
        fresh.stored(run for unit in units for run in unit.begun)
        envelopes = [envelope for unit in units for envelope in unit.recorded]
        for envelope in envelopes:
            probes.committed(envelope)
        bus.publish(envelopes)

    return publish


def shutdown_share(settings: Settings, parts: int) -> timedelta:
    """Give that many fifteenths of the time that a stop may take in all."""
    return settings.server.shutdown_timeout * parts / 15


def objects_of(base: Base) -> Objects:
    """Give the service of objects, with the limits of the settings."""
    store = base.settings.object_store
    limits = ObjectLimits(
        pipeline_objects=store.pipeline_object_limit,
        run_expiry=store.run_object_expiry,
        size_bytes=store.object_size_limit_bytes,
    )
    return Objects(database=base.database, blobs=base.objects, limits=limits)
