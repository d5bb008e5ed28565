"""Some dozens of kills, of those that `./dev torture` deals by the thousand: see tests/torture."""

import asyncio
from pathlib import Path

import pytest

from tests.torture.__main__ import line_of
from tests.torture.batch import Case, run_case
from tests.torture.lives import zygote
from tests.torture.moments import Ending
from tests.torture.pipelines import Engine
from tests.torture.soak import soak

KILLS = 6
SEED = 20_261_122


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("engine", [Engine.MEMORY, Engine.PROCESS])
async def test_whatever_ends_a_server_nothing_is_lost_stuck_or_doubled(engine: Engine) -> None:
    cases = [Case(engine=engine, ending=ending, seed=SEED, kills=KILLS) for ending in Ending]

    async with zygote() as of:
        outcomes = await asyncio.gather(*(run_case(case, of) for case in cases))

    assert [] == [line_of(outcome) for outcome in outcomes if outcome.faults]
    assert KILLS * len(cases) == sum(outcome.struck.total() for outcome in outcomes)


@pytest.mark.timeout(120)
async def test_clients_of_every_kind_are_at_work_in_a_soak_and_leave_nothing(tmp_path: Path) -> None:
    found = await soak(tmp_path, seconds=4, seed=3, rest_seconds=1)

    assert [] == [each for each in found.logged if each]
    assert {} == found.refused
    assert found.done["run started"] == found.done["run ended"] > 3
    assert len(found.done) > 10
