"""Where files lie when nobody says where.

By default 0.6 put everything into /tmp itself, where any user may put a file of the same name first. Here such a
path stands for "the default": dev mode takes a private folder of the user's in its place, production asks for one.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gofer.config.settings import WORLD_WRITABLE, Settings

STORAGE_NAME = "gofer.db"
OBJECTS_NAME = "gofer-object.db"
OBJECTS_FOLDER = "objects"
SECRETS_NAME = "gofer-secret.db"
LOGS_NAME = "logs"


def state_folder(environment: Mapping[str, str], home: Path) -> Path:
    """Give the private folder of a user who runs dev mode."""
    state = environment.get("XDG_STATE_HOME", "")
    base = Path(state) if state.startswith("/") else home / ".local" / "state"
    return base / "gofer"


def lies_open(path: Path) -> bool:
    """Whether the file would lie in /tmp itself."""
    return path.parent == WORLD_WRITABLE


def settle_paths(settings: Settings, *, private_folder: Path) -> Settings:
    """Put what would lie in /tmp into the data folder; in dev mode that is `private_folder` where none is given.

    In production a main database in /tmp stays as it is, for `why_not_startable` to refuse.
    """
    storage = settings.server.storage_path
    if lies_open(storage):
        if not settings.dev_mode:
            return settings
        storage = private_folder / STORAGE_NAME
    folder = storage.parent
    objects = settings.object_store.sqlite.path
    object_folder = settings.object_store.filesystem.path
    secrets = settings.secret_store.sqlite.path
    logs = settings.task_run_logs_dir
    return replace(
        settings,
        server=replace(settings.server, storage_path=storage),
        object_store=replace(
            settings.object_store,
            sqlite=replace(settings.object_store.sqlite, path=folder / OBJECTS_NAME if lies_open(objects) else objects),
            filesystem=replace(
                settings.object_store.filesystem,
                path=folder / OBJECTS_FOLDER if lies_open(object_folder) else object_folder,
            ),
        ),
        secret_store=replace(
            settings.secret_store,
            sqlite=replace(settings.secret_store.sqlite, path=folder / SECRETS_NAME if lies_open(secrets) else secrets),
        ),
        task_run_logs_dir=folder / LOGS_NAME if logs == WORLD_WRITABLE else logs,
    )
