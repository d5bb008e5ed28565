"""Whether a server can start with its settings: every fault at once, without starting anything."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gofer.clock import SystemClock
from gofer.config.check import start_warnings, why_not_startable
from gofer.config.load import Loaded, load_settings
from gofer.config.settings import Settings
from gofer.core.errors import FailedPrecondition, InvalidInput
from gofer.engines.registry import EngineRegistry
from gofer.files import check_folder
from gofer.tls import certificate_warnings, check_pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """Settings, the file that they came from, and what was found; with faults there may be no settings."""

    settings: Settings | None = None
    path: Path | None = None
    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def check(*, config_path: str | None, dev_mode: bool, environment: Mapping[str, str] = os.environ) -> Checked:
    """Read the settings as a start would, and look at what they name. Makes and changes nothing; blocks on the disk."""
    registry = EngineRegistry()
    try:
        loaded = load_settings(
            config_path=Path(config_path) if config_path else None,
            dev_mode=dev_mode,
            environment=environment,
            home=Path.home(),
            engines=registry.names_by_block,
        )
    except InvalidInput as error:
        return Checked(faults=error.faults)
    return Checked(
        settings=loaded.settings,
        path=loaded.path,
        faults=tuple(dict.fromkeys(_faults(loaded.settings, registry))),
        warnings=tuple(_warnings(loaded)),
    )


def _faults(settings: Settings, registry: EngineRegistry) -> Iterator[str]:
    yield from why_not_startable(settings)
    chosen = {
        "scheduler": settings.scheduler.engine,
        "object_store": settings.object_store.engine,
        "secret_store": settings.secret_store.engine,
    }
    for block, names in registry.names_by_block.items():
        if chosen[block] not in names:
            yield f"{block}.engine is {chosen[block]!r}, which is not installed; known are: {', '.join(names)}"
    yield from _certificates(settings)
    yield from _folders(settings)


def _certificates(settings: Settings) -> Iterator[str]:
    for name, pair in (("server", settings.server), ("extensions", settings.extensions)):
        if not (pair.tls_cert_path and pair.tls_key_path):
            continue  # a missing one is told elsewhere
        try:
            check_pair(pair.tls_cert_path, pair.tls_key_path)
        except FailedPrecondition as error:
            yield f"{name}.tls_cert_path, {name}.tls_key_path: {error.message}"


def _folders(settings: Settings) -> Iterator[str]:
    folders = {"server.storage_path": settings.data_folder, "task_run_logs_dir": settings.task_run_logs_dir}
    match settings.object_store.engine:
        case "sqlite":
            folders["object_store.sqlite.path"] = settings.object_store.sqlite.path.parent
        case "filesystem":
            folders["object_store.filesystem.path"] = settings.object_store.filesystem.path
        case _:
            pass
    if settings.secret_store.engine == "sqlite":
        folders["secret_store.sqlite.path"] = settings.secret_store.sqlite.path.parent
    told = set[Path]()
    for name, folder in folders.items():
        if folder in told:
            continue
        told.add(folder)
        try:
            check_folder(folder)
        except FailedPrecondition as error:
            yield f"{name}: {error.message}"


def _warnings(loaded: Loaded) -> Iterator[str]:
    yield from loaded.warnings
    yield from start_warnings(loaded.settings)
    if loaded.settings.server.tls_cert_path:
        yield from certificate_warnings(loaded.settings.server.tls_cert_path, now=SystemClock().now())
