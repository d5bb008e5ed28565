"""`gofer completion`: the script that teaches a shell to complete Gofer's commands."""

import os
from typing import Annotated, Final

import typer

_SHELLS: Final = ("bash", "zsh", "fish", "powershell")


def completion(
    ctx: typer.Context,
    shell: Annotated[str, typer.Argument(metavar="SHELL", help=f"One of {', '.join(_SHELLS)}.")] = "bash",
) -> None:
    """Print the completion script of a shell; for bash: eval "$(gofer completion bash)"."""
    if shell not in _SHELLS:
        raise typer.BadParameter(f"{shell!r} is not known: use {', '.join(_SHELLS)}")
    root = ctx.find_root()
    program = root.info_name or "gofer"
    # How a shell itself asks for it; the answer is printed, and ends the process.
    os.environ[f"_{program.upper()}_COMPLETE"] = f"source_{shell}"
    root.command.main(args=[], prog_name=program)
