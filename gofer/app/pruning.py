"""The pruner and its jobs, each with the settings that say what it keeps."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Final

from gofer.app.base import Base, shutdown_share
from gofer.lifecycle import running
from gofer.services.progress import RunProgress
from gofer.services.pruning import (
    EXPIRED_TOKEN_LIFE,
    ExpiredTokens,
    OldEvents,
    OldRequestIds,
    SurplusObjects,
    SurplusVersions,
)
from gofer.services.run_retention import ExpiredLogs, ExpiredRunObjects
from gofer.services.runs import REQUEST_ID_LIFE
from gofer.workers.leftovers import LeftoverContainers
from gofer.workers.pruner import PruneJob, Pruner, Routine

_DOCKER: Final = "docker"


async def run_pruner(stack: AsyncExitStack, base: Base) -> None:
    """Start it, last of all: nothing waits for it, and what it has to do must not hold up the start."""
    every = base.settings.event_prune_interval
    pruner = Pruner(
        routines=(
            *_of_runs(base, every=every),
            *_of_age(base, every=every),
            *_of_limits(base, every=every),
            *_of_engines(base, every=every),
        ),
        bus=base.bus,
        clock=base.clock,
    )
    await stack.enter_async_context(running(pruner, grace=shutdown_share(base.settings, 1)))


def _of_runs(base: Base, *, every: timedelta) -> tuple[Routine, ...]:
    settings, observe = base.settings, base.probes.pruned
    logs = ExpiredLogs(
        database=base.database,
        logs=base.logs,
        clock=base.clock,
        keep=settings.task_run_log_expiry,
        observe=observe,
    )
    objects = ExpiredRunObjects(
        database=base.database,
        blobs=base.objects,
        clock=base.clock,
        keep=settings.object_store.run_object_expiry,
        observe=observe,
    )
    jobs: tuple[PruneJob, ...] = (logs, objects)
    return tuple(Routine(job=job, every=every, after_runs=True) for job in jobs)


def _of_age(base: Base, *, every: timedelta) -> tuple[Routine, ...]:
    keep = base.settings.event_log_retention
    database, clock, observe = base.database, base.clock, base.probes.pruned
    jobs: tuple[PruneJob, ...] = (
        OldEvents(database=database, clock=clock, keep=keep, observe=observe),
        ExpiredTokens(database=database, clock=clock, keep=EXPIRED_TOKEN_LIFE, observe=observe),
        OldRequestIds(database=database, clock=clock, keep=REQUEST_ID_LIFE, observe=observe),
    )
    return tuple(Routine(job=job, every=every) for job in jobs)


def _of_limits(base: Base, *, every: timedelta) -> tuple[Routine, ...]:
    settings, database, clock, observe = base.settings, base.database, base.clock, base.probes.pruned
    versions = SurplusVersions(database=database, clock=clock, limit=settings.pipeline_version_limit, observe=observe)
    objects = SurplusObjects(
        database=database,
        blobs=base.objects,
        clock=clock,
        limit=settings.object_store.pipeline_object_limit,
        observe=observe,
    )
    jobs: tuple[PruneJob, ...] = (versions, objects)
    return tuple(Routine(job=job, every=every) for job in jobs)


def _of_engines(base: Base, *, every: timedelta) -> tuple[Routine, ...]:
    docker = base.settings.scheduler.docker
    others = Routine(job=_leftovers(base, wanted=lambda name: name != _DOCKER), every=every)
    of_docker = Routine(job=_leftovers(base, wanted=lambda name: name == _DOCKER), every=docker.prune_interval)
    return (others, of_docker) if docker.prune else (others,)


def _leftovers(base: Base, *, wanted: Callable[[str], bool]) -> LeftoverContainers:
    return LeftoverContainers(
        engine_of=base.engines.get,
        wanted=wanted,
        progress=RunProgress(database=base.database, engine=base.engine.name),
        instance=base.instance,
        observe=base.probes.pruned,
    )
