"""Opening what keeps state, and the engine of new task runs, as the settings name them."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final

import structlog

from gofer.clock import Clock
from gofer.config.settings import Settings
from gofer.core.errors import EngineUnavailable
from gofer.engines.chosen import chosen_object_store, chosen_secret_store
from gofer.engines.in_words import InWords
from gofer.engines.opened import OpenedEngines
from gofer.engines.protocols import ObjectStoreEngine, SchedulerEngine, SecretStoreEngine
from gofer.engines.registry import EngineRegistry
from gofer.sqlite import Database, GroupStep, open_database
from gofer.storage.unit import Unit
from gofer.workers.own_engine import EngineStart, engine_notes
from gofer.workers.troubles import Troubles

_log = structlog.get_logger(__name__)

PROCESS_FOLDER: Final = "processes"


async def open_storage(
    stack: AsyncExitStack,
    settings: Settings,
    publish: Callable[[Sequence[Unit]], None],
    *,
    clock: Clock,
    observe: Callable[[GroupStep], None],
) -> Database[Unit]:
    """Open the main database; `publish` hears of each commit, `observe` of its steps."""
    return await stack.enter_async_context(
        open_database(
            settings.server.storage_path,
            migrations="gofer.storage.migrations",
            make_unit=Unit,
            clock=clock,
            after_commit=publish,
            observe=observe,
        )
    )


async def open_secrets(stack: AsyncExitStack, settings: Settings, registry: EngineRegistry) -> SecretStoreEngine:
    """Open the configured secret store. Raises `GoferError` whatever the store raises."""
    engine = chosen_secret_store(settings, registry)
    with InWords(lambda: f"the secret store {settings.secret_store.engine} can't be opened", EngineUnavailable):
        return await stack.enter_async_context(engine)


async def open_objects(stack: AsyncExitStack, settings: Settings, registry: EngineRegistry) -> ObjectStoreEngine:
    """Open the configured object store. Raises `GoferError` whatever the store raises."""
    engine = chosen_object_store(settings, registry)
    with InWords(lambda: f"the object store {settings.object_store.engine} can't be opened", EngineUnavailable):
        return await stack.enter_async_context(engine)


async def own_engine(
    stack: AsyncExitStack, engines: OpenedEngines, settings: Settings, *, clock: Clock, troubles: Troubles
) -> SchedulerEngine:
    """Open the configured engine, or wait for it; dev mode takes the process engine where Docker does not answer."""
    name = settings.scheduler.engine
    fallback = "process" if settings.dev_mode and name == "docker" else ""
    engine = await EngineStart(engines=engines, clock=clock, troubles=troubles, fallback=fallback).open(stack, name)
    for note in engine_notes(engine):
        _log.warning(note)
    return engine


def engine_settings(settings: Settings, name: str) -> object:
    """Give the block of the settings that a scheduler engine of that name is made with."""
    match name:
        case "docker":
            return settings.scheduler.docker
        case "process":
            folder = settings.scheduler.process.folder or str(settings.data_folder / PROCESS_FOLDER)
            return replace(settings.scheduler.process, folder=folder)
        case _:
            return settings.scheduler.other.get(name, {})
