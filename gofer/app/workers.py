"""The workers, in the order of their start."""

from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Final

from gofer.app.base import Base, objects_of, shutdown_share
from gofer.lifecycle import running
from gofer.services.masks import AttemptMasks, NeededBlobs
from gofer.services.object_blobs import needed_content
from gofer.services.object_values import ObjectValues
from gofer.services.progress import RunProgress
from gofer.services.removal import Removal
from gofer.services.secret_values import SecretValues
from gofer.workers.dag_executor import DagExecutor
from gofer.workers.deleter import Deleter
from gofer.workers.launching import Launching
from gofer.workers.recovery import Recovery
from gofer.workers.rendering import Rendering
from gofer.workers.replaced_content import ReplacedContent
from gofer.workers.run_scheduler import RunScheduler
from gofer.workers.slot_gate import SlotGate
from gofer_sdk.rules.references import ReferenceKind

FOR_EVER: Final = timedelta(days=36_500)


async def run_workers(stack: AsyncExitStack, base: Base) -> None:
    """Start them all, each once those that it needs run; the stack stops them in reverse."""
    settings = base.settings
    await base.blobs.sweep(NeededBlobs(database=base.database, instance=base.instance))
    await base.objects.sweep(needed_content(base.database))
    replaced = ReplacedContent(blobs=base.objects)
    await stack.enter_async_context(running(replaced, grace=shutdown_share(settings, 1)))
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
    progress = RunProgress(database=base.database, engine=base.engine.name, fresh=base.fresh_runs)
    recovery = Recovery(engine=base.engine.name, progress=progress, parts=parts)
    await stack.enter_async_context(running(recovery, grace=timedelta()))
    executor = DagExecutor(bus=base.bus, progress=progress, parts=parts)
    await stack.enter_async_context(running(executor, grace=shutdown_share(settings, 5)))
    scheduler = RunScheduler(
        bus=base.bus,
        progress=progress,
        take=executor.take,
        parallelism_limit=settings.run_parallelism_limit,
        clock=base.clock,
        gate=base.gate,
    )
    await stack.enter_async_context(running(scheduler, grace=shutdown_share(settings, 1)))
    removal = Removal(
        database=base.database, logs=base.logs, objects=base.objects, secrets=base.blobs, clock=base.clock
    )
    deleter = Deleter(bus=base.bus, removal=removal, parts=parts)
    await stack.enter_async_context(running(deleter, grace=shutdown_share(settings, 1)))


def _rendering(base: Base) -> Rendering:
    values = SecretValues(database=base.database, blobs=base.blobs)
    objects = ObjectValues(objects_of(base))
    return Rendering(
        {
            ReferenceKind.PIPELINE_SECRET: values.of_pipeline,
            ReferenceKind.GLOBAL_SECRET: values.of_global,
            ReferenceKind.PIPELINE_OBJECT: objects.of_pipeline,
            ReferenceKind.RUN_OBJECT: objects.of_run,
        },
        inject=base.injected.variables,
    )
