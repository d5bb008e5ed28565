"""What goes on between the user's terminal and one in a task's container."""

import asyncio
import os
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

from gofer.cli.neutral import LogFilter
from gofer.cli.output import Output
from gofer.cli.terminal import LocalTerminal

if TYPE_CHECKING:
    from gofer_sdk.client import Attachment, TerminalWish, Window


def wish_for(command: tuple[str, ...], local: LocalTerminal) -> "TerminalWish":
    """Ask for a terminal like the user's own."""
    from gofer_sdk.client import TerminalWish

    return TerminalWish(command=command, window=_window_of(local), term=os.environ.get("TERM", ""))


async def converse(attachment: "Attachment", local: LocalTerminal, output: Output) -> None:
    """Hand on what is typed, and show what is printed, to the end of the command."""
    from gofer_sdk.errors import CallFailed

    async def hand_on() -> None:
        # A server that takes no more says why in what it gives.
        with suppress(CallFailed):
            async with aclosing(local.typed()) as typed:
                async for data in typed:
                    await attachment.type(data)

    async def tell_size() -> None:
        with suppress(CallFailed):
            while True:
                await resized.wait()
                resized.clear()
                await attachment.resize(_window_of(local))

    resized = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        helpers = [group.create_task(hand_on(), name="typing"), group.create_task(tell_size(), name="size")]
        try:
            with local.raw(), local.on_resize(resized.set):
                await _show(attachment, output, interactive=local.is_interactive)
        finally:
            for helper in helpers:
                helper.cancel()


async def _show(attachment: "Attachment", output: Output, *, interactive: bool) -> None:
    from gofer_sdk._proto import proto

    # What a program draws is for the terminal that it was asked for; what comes of a pipe's input is a log.
    log_filter = LogFilter() if output.is_terminal and not interactive else None
    async with aclosing(attachment.output()) as printed:
        async for data in printed:
            output.json(proto.AttachToTaskRunOutput(chunk=data))
            output.log(data, log_filter)
    if log_filter is not None:
        output.end_log(log_filter)
    if attachment.exit_code is not None:
        output.json(proto.AttachToTaskRunOutput(exit_code=attachment.exit_code))


def _window_of(local: LocalTerminal) -> "Window":
    from gofer_sdk.client import Window

    size = local.size
    return Window() if size is None else Window(rows=size.lines, columns=size.columns)
