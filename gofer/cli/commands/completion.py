"""`gofer completion`: the script that teaches a shell to complete Gofer's commands."""

import os
from enum import StrEnum
from typing import Annotated

import typer


class Shell(StrEnum):
    """The shells that can be taught."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


def completion(
    ctx: typer.Context, shell: Annotated[Shell, typer.Argument(help="For which shell.")] = Shell.BASH
) -> None:
    """Print the completion script of a shell: eval "$(gofer completion bash)"."""
    root = ctx.find_root()
    program = root.info_name or "gofer"
    # How a shell itself asks for it; the answer is printed, and ends the process.
    os.environ[f"_{program.upper()}_COMPLETE"] = f"source_{shell.value}"
    root.command.main(args=[], prog_name=program)
