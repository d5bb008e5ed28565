"""The files on this machine: the command line's own, and a server's where there is one."""

import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gofer.cli.context import CliContext
from gofer.cli.diagnosis.finding import Finding, bad, warning
from gofer.config.client_settings import FILE_NAMES
from gofer.core.errors import InvalidInput

_OTHERS: Final = 0o077
_EVERYBODY: Final = 0o007
_WRITERS: Final = 0o022
_LEAST_FREE_BYTES: Final = 1024**3


def look_at_own_files(cli: CliContext) -> Iterator[Finding]:
    """Look at the settings of the command line and at the file that they are in. Blocks on the disk."""
    subject = "settings"
    try:
        settings = cli.settings
    except InvalidInput as error:
        yield bad(subject, error.message, mend="correct that place; afterwards `gofer context` shows what counts")
        return
    path = settings.config_path
    if path is None:
        yield Finding(subject=subject, text="there is no configuration file; options, variables and defaults count")
    else:
        yield _own_file(path, has_token="token" in _names_in(cli, path))
    if cli.flags.token:
        yield warning(
            "token",
            "a token on the command line can be seen by others on this machine, and your shell remembers it",
            mend='export GOFER_CLI_TOKEN, or write token = "..." into a file that is yours alone',
        )
    usual = [cli.home / name for name in FILE_NAMES]
    if path == usual[0] and usual[1].is_file():
        yield warning(
            subject, f"{usual[1]} is not read, because {usual[0]} is there", mend=f"mv -i {usual[1]} {usual[0]}"
        )


def _names_in(cli: CliContext, path: Path) -> set[str]:
    return {origin.name for origin in cli.origins() if origin.place.startswith(f"{path} ")}


def _own_file(path: Path, *, has_token: bool) -> Finding:
    subject = "settings"
    mode = stat.S_IMODE(path.stat().st_mode)
    if has_token and mode & _OTHERS:
        return bad(subject, f"{path} holds a token, and others may open it ({mode:o})", mend=f"chmod 600 {path}")
    if mode & _WRITERS:
        return bad(subject, f"others may change {path} ({mode:o})", mend=f"chmod 600 {path}")
    return Finding(subject=subject, text=f"{path} is as it should be")


def look_at_server_files(cli: CliContext) -> Iterator[Finding]:
    """Look at the configuration of a server of this machine, and at the room for its data. Blocks on the disk."""
    from gofer.config.load import DEFAULT_PATH, PATH_VARIABLE, load_settings
    from gofer.config.paths import state_folder
    from gofer.engines.registry import EngineRegistry

    subject = "server's file"
    path = Path(cli.environment.get(PATH_VARIABLE) or DEFAULT_PATH)
    folder = state_folder(cli.environment, cli.home)
    if not _is_file(path):
        yield from _room_in(folder)
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & _EVERYBODY:
        yield bad(subject, f"{path} may hold keys, and everybody may open it ({mode:o})", mend=f"chmod o= {path}")
    try:
        settings = load_settings(
            config_path=path,
            dev_mode=False,
            environment=cli.environment,
            home=cli.home,
            engines=EngineRegistry().names_by_block,
        ).settings
    except InvalidInput as error:
        if _may_read(path):
            yield bad(subject, error.message, mend=f"correct {path}; a server starts with it no more")
        return
    yield Finding(subject=subject, text=f"{path} can be read")
    yield from _room_in(settings.data_folder)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # its folder is not for us to look into
        return False


def _may_read(path: Path) -> bool:
    try:
        with path.open("rb"):
            return True
    except OSError:
        return False


def _room_in(folder: Path) -> Iterator[Finding]:
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return  # not there, or not for us to look into
    if free < _LEAST_FREE_BYTES:
        yield warning(
            "server's disk",
            f"only {free // 1024**2} MiB are free for {folder}",
            mend=f"make room: du -xh --max-depth=2 {folder} shows what takes it",
        )
    else:
        yield Finding(subject="server's disk", text=f"{free / 1024**3:.1f} GiB are free for {folder}")
