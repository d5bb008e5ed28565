"""Terminals in tasks that run: some end their command, some leave it, some stay until the task has ended."""

import asyncio
from collections.abc import Iterator
from enum import IntEnum
from typing import Final

from gofer_sdk.client import GoferClient
from gofer_sdk.client.attachment import Attachment, TerminalWish
from gofer_sdk.errors import CallFailed, FailedPrecondition
from tests.torture.ledger import AskedRun, Ledger, Visit

_GREETING: Final = b"at 42\r\n"
_WISH: Final = TerminalWish(command=("/bin/sh", "-c", "echo at $((6*7)); exec cat"))
_NOT_EXECUTED: Final = 126
"""How Docker has a command end that it can't begin: the container is ending in this moment. The words are its own."""
_END_OF_INPUT: Final = b"\x04"
_LOOK_SECONDS: Final = 0.05


class Manner(IntEnum):
    """How a terminal comes to its end."""

    ENDS = 0
    LEAVES = 1
    STAYS = 2


async def visit(client: GoferClient, ledger: Ledger, asked: AskedRun, task: str, manner: Manner) -> None:
    """Open a terminal as soon as the task runs; nothing where it never does, or where its server dies."""
    found = Visit(pipeline=asked.pipeline, run=asked.run, task=task)
    while (asked.pipeline, asked.run) in ledger.open and not found.printed:
        try:
            async with client.task_runs.attach(asked.pipeline, asked.run, task, terminal=_WISH) as terminal:
                await _use(terminal, found, manner)
        except FailedPrecondition:  # it waits, or is over
            await asyncio.sleep(_LOOK_SECONDS)
        except CallFailed as error:
            ledger.fail(error)
            await asyncio.sleep(_LOOK_SECONDS)
    if found.printed:
        ledger.visits.append(found)


async def _use(terminal: Attachment, found: Visit, manner: Manner) -> None:
    async for printed in terminal.output():
        found.printed += printed
        if found.printed != _GREETING or manner is Manner.STAYS:
            continue
        if manner is Manner.LEAVES:
            return
        await terminal.type(_END_OF_INPUT)
    found.exit_code = terminal.exit_code


def faults_of_visits(ledger: Ledger) -> Iterator[str]:
    """Say which terminal printed what it should not have, or ended as it could not."""
    for found in ledger.visits:
        if found.exit_code == _NOT_EXECUTED:
            continue
        if found.printed[: len(_GREETING)] != _GREETING[: len(found.printed)]:
            yield f"not what a terminal prints: {found}"
