"""Some dozens of kills, of those that `./dev torture` deals by the thousand: see tests/torture."""

import asyncio

import pytest

from tests.torture.__main__ import line_of
from tests.torture.batch import Case, run_case
from tests.torture.lives import zygote
from tests.torture.moments import Ending
from tests.torture.pipelines import Engine

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
