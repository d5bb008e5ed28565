"""`gofer service init-config` and `check-config`: the server's configuration file, before it is used."""

import errno
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from gofer.cli.aio import ExitStatus
from gofer.cli.context import CliContext, cli_of

if TYPE_CHECKING:
    from pathlib import Path


def init_config(
    ctx: typer.Context,
    filepath: Annotated[
        str, typer.Option("--filepath", "-f", metavar="FILE", help="Where to write it.")
    ] = "./example.gofer.hcl",
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a configuration file for a production server, with every key explained.

    Some of its values are marked to be filled in: the certificate, its key, and the encryption key.
    """
    from gofer.config.homes import expanded
    from gofer.config.sample import MARK, sample_config

    output = cli_of(ctx).output
    path = expanded(filepath)
    try:
        _write(path, sample_config(), replace=force)
    except FileExistsError:
        output.failure(f"{path} is there already: name another file with --filepath, or replace it with --force")
        raise typer.Exit(ExitStatus.FAILED) from None
    except OSError as error:
        output.failure(f"{path} can't be written: {error.strerror}")
        raise typer.Exit(ExitStatus.FAILED) from None
    output.json(_Found(path=str(path), faults=(), warnings=()))
    output.success(f"{path} is written")
    output.hint(f"fill in what is marked {MARK.strip('# ')!r}, then: gofer service check-config --config {path}")


def _write(path: "Path", text: str, *, replace: bool) -> None:
    """Write a file that is open to its owner alone, as it will hold a key; it is there only when it is whole.

    Raises FileExistsError and other OSErrors; nothing has changed then.
    """
    import os
    import tempfile
    from pathlib import Path

    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no regular file")
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    whole = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        if not replace:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))  # refused where a file is there
        whole.replace(path)
    finally:
        whole.unlink(missing_ok=True)


def check_config(
    ctx: typer.Context,
    dev_mode: Annotated[bool, typer.Option("--dev-mode", "-d", help="Check it for a start in dev mode.")] = False,
) -> None:
    """Tell whether a server could start with its settings; --config names its configuration file.

    Every fault is told at once: of the file, of the environment, of the files and folders that they name. Run it as the
    user that the server runs as. It needs no server, and changes nothing.
    """
    from gofer.checking import check

    flags = cli_of(ctx).flags
    output = CliContext(
        flags=replace(flags, config=None)
    ).output  # --config is the server's file here, not the client's
    checked = check(config_path=flags.config, dev_mode=dev_mode)
    source = "the defaults and the environment" if checked.path is None else str(checked.path)
    output.json(_Found(path=str(checked.path or ""), faults=checked.faults, warnings=checked.warnings))
    for warning in checked.warnings:
        output.warning(warning)
    for fault in checked.faults:
        output.failure(fault)
    if checked.faults:
        raise typer.Exit(ExitStatus.FAILED)
    output.success(f"a server can start with {source}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What `--format json` gives."""

    path: str
    faults: tuple[str, ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        return {"path": self.path, "faults": list(self.faults), "warnings": list(self.warnings)}
