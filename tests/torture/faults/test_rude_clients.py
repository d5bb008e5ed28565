"""Rude clients again and again: not a round of them leaves anything behind, and memory stays where it was."""

import sys
from pathlib import Path

import pytest

from tests.fakes.waiting import until
from tests.integration.faults.faulty import faulty_server
from tests.integration.faults.test_clients import (
    PATIENCE,
    all_rude_once,
    answered_meanwhile,
    calls_of,
    hold_a_task,
    settled,
)
from tests.torture.soak_watch import line_through

pytestmark = pytest.mark.faults

WARM_UP_ROUNDS = 5
ROUNDS = 25
MOST_MEGABYTES_A_ROUND = 0.1
MEGABYTE = 1e6


async def test_many_rounds_of_rude_clients_leave_memory_and_all_else_as_they_were(tmp_path: Path) -> None:
    async with faulty_server(tmp_path, "memory") as server, server.client() as polite:
        await hold_a_task(polite)
        calls = await calls_of(server)
        await server.ask(f"patience {PATIENCE.total_seconds()}")
        async with answered_meanwhile(polite):
            for _ in range(WARM_UP_ROUNDS):
                await all_rude_once(server, calls)
        before = await settled(server)
        megabytes: list[float] = []
        for _ in range(ROUNDS):
            async with answered_meanwhile(polite):
                await all_rude_once(server, calls)
            megabytes.append((await settled(server)).rss_bytes / MEGABYTE)

        async def is_as_before() -> bool:
            left[:] = (await server.holds()).beyond(before)
            return not left

        left: list[str] = []
        try:
            await until(is_as_before)
        except TimeoutError:
            pytest.fail(f"left behind: {left}")

    slope, _ = line_through(range(ROUNDS), megabytes)
    sys.stdout.write(f"{ROUNDS} rounds: {megabytes[0]:.1f} to {megabytes[-1]:.1f} MB, {slope:+.3f} MB a round\n")
    assert slope < MOST_MEGABYTES_A_ROUND
