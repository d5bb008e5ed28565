"""A terminal in a task: what the caller's own code raises beside it stays what it is."""

import asyncio

import pytest

from gofer_sdk import errors
from gofer_sdk.client import GoferClient


async def test_an_error_of_the_callers_own_is_no_failure_of_the_call(client: GoferClient) -> None:
    """A full disk was told as a server that can't be reached."""
    with pytest.raises(OSError, match="disk full"):
        async with client.task_runs.attach("nightly", 7, "build"):
            raise OSError("disk full")


async def test_a_time_limit_of_the_callers_own_is_no_failure_of_the_call(client: GoferClient) -> None:
    """It was told as a server that had not answered in time."""

    async def wait_beside_a_terminal() -> None:
        async with client.task_runs.attach("nightly", 7, "build"), asyncio.timeout(0):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await wait_beside_a_terminal()


async def test_what_the_server_says_is_told_by_the_output(client: GoferClient) -> None:
    async with client.task_runs.attach("nightly", 7, "build") as terminal:
        with pytest.raises(errors.NotServed):
            await anext(terminal.output())
