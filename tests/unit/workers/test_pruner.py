"""The prune jobs are run in their time, in turns, with rests; one that fails harms no other."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from gofer.bus import Bus
from gofer.core.events import Envelope, RunCompleted
from gofer.core.ids import EventId
from gofer.lifecycle import running
from gofer.workers.pruner import GATHER, REST, TRY_AGAIN, Pruner, Routine
from tests.factories import NAMESPACE, NOW, PIPELINE, run_key
from tests.fakes.clock import FakeClock
from tests.fakes.stress import cancel_during_start, start_stop_stress, stop_before_run
from tests.fakes.waiting import until

HOUR = timedelta(hours=1)
GRACE = timedelta(minutes=1)


class Job:
    """Has so many pieces to do each time, and notes when it was asked."""

    def __init__(self, clock: FakeClock, *, name: str = "job", pieces: int = 0, fault: Exception | None = None) -> None:
        self.name = name
        self.pieces = pieces
        self.fault = fault
        self.asked: list[timedelta] = []
        self.gate: asyncio.Event | None = None
        self._clock = clock

    async def run_once(self) -> bool:
        self.asked.append(self._clock.monotonic())
        if self.gate is not None:
            await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        self.pieces -= 1
        return self.pieces >= 0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def bus() -> Bus[Envelope]:
    return Bus()


def completed(number: int = 1) -> Envelope:
    event = RunCompleted(
        namespace_id=NAMESPACE,
        pipeline_id=PIPELINE,
        run_id=run_key(number).run,
        status="SUCCESSFUL",
        initiator_type="HUMAN",
        initiator_name="cli",
    )
    return Envelope(id=EventId(number), at=NOW, event=event)


def pruner(bus: Bus[Envelope], clock: FakeClock, *routines: Routine) -> Pruner:
    return Pruner(routines=routines, bus=bus, clock=clock)


async def pass_time(clock: FakeClock, duration: timedelta) -> None:
    await clock.sleepers(1)
    await clock.advance(duration)


async def test_a_job_is_run_at_the_start_and_at_each_of_its_intervals(bus: Bus[Envelope], clock: FakeClock) -> None:
    often, seldom = Job(clock), Job(clock)
    worker = pruner(bus, clock, Routine(job=often, every=HOUR), Routine(job=seldom, every=3 * HOUR))

    async with running(worker, grace=GRACE):
        for _ in range(3):
            await pass_time(clock, HOUR)
        await until(lambda: len(seldom.asked) == 2)

    assert [timedelta(), HOUR, 2 * HOUR, 3 * HOUR] == often.asked
    assert [timedelta(), 3 * HOUR] == seldom.asked


async def test_pieces_are_done_in_turns_with_a_rest_after_each(bus: Bus[Envelope], clock: FakeClock) -> None:
    one, other = Job(clock, pieces=2), Job(clock, pieces=1)
    worker = pruner(bus, clock, Routine(job=one, every=HOUR), Routine(job=other, every=HOUR))

    async with running(worker, grace=GRACE):
        for _ in range(3):
            await pass_time(clock, REST)
        await until(lambda: len(one.asked) == 3)

    assert [timedelta(), 2 * REST, 3 * REST] == one.asked
    assert [REST, 3 * REST] == other.asked


async def test_runs_that_start_or_end_wake_the_jobs_of_runs_once_for_many(bus: Bus[Envelope], clock: FakeClock) -> None:
    of_runs, other = Job(clock), Job(clock)
    worker = pruner(bus, clock, Routine(job=of_runs, every=HOUR, after_runs=True), Routine(job=other, every=HOUR))

    async with running(worker, grace=GRACE):
        await clock.sleepers(1)
        bus.publish(completed(number) for number in range(1, 100))
        await until(lambda: worker_sleeps(clock))
        await clock.advance(GATHER)
        await until(lambda: len(of_runs.asked) == 2)

    assert [timedelta(), GATHER] == of_runs.asked
    assert [timedelta()] == other.asked


def worker_sleeps(clock: FakeClock) -> bool:
    return any(not waiter.done() and due - clock.now() <= GATHER for due, _, waiter in clock._sleepers)  # noqa: SLF001


async def test_a_job_that_fails_harms_no_other_and_is_tried_again(bus: Bus[Envelope], clock: FakeClock) -> None:
    failing, other = Job(clock, fault=OSError("no disk")), Job(clock)
    worker = pruner(bus, clock, Routine(job=failing, every=24 * HOUR), Routine(job=other, every=24 * HOUR))

    async with running(worker, grace=GRACE):
        await pass_time(clock, TRY_AGAIN)
        await until(lambda: len(failing.asked) == 2)

    assert [timedelta(), TRY_AGAIN] == failing.asked
    assert [timedelta()] == other.asked


async def test_a_stop_lets_the_piece_under_way_end_and_begins_no_other(bus: Bus[Envelope], clock: FakeClock) -> None:
    job, other = Job(clock, pieces=5), Job(clock)
    job.gate = asyncio.Event()
    worker = pruner(bus, clock, Routine(job=job, every=HOUR), Routine(job=other, every=HOUR))

    async with running(worker, grace=GRACE):
        await until(lambda: bool(job.asked))
        asyncio.get_running_loop().call_later(0.02, job.gate.set)

    assert 4 == job.pieces, "one piece was done"
    assert [] == other.asked


async def test_a_closed_bus_does_not_keep_it_from_its_intervals(bus: Bus[Envelope], clock: FakeClock) -> None:
    job = Job(clock)
    bus.close()

    async with running(pruner(bus, clock, Routine(job=job, every=HOUR)), grace=GRACE):
        await pass_time(clock, HOUR)
        await until(lambda: len(job.asked) == 2)


def maker(bus: Bus[Envelope]) -> Callable[[], Pruner]:
    def make() -> Pruner:
        clock = FakeClock()
        return pruner(bus, clock, Routine(job=Job(clock, pieces=3), every=HOUR, after_runs=True))

    return make


async def test_it_starts_and_stops_often(bus: Bus[Envelope]) -> None:
    await start_stop_stress(maker(bus))


async def test_it_can_be_cancelled_while_it_starts(bus: Bus[Envelope]) -> None:
    await cancel_during_start(maker(bus))


async def test_it_can_be_stopped_before_it_runs(bus: Bus[Envelope]) -> None:
    await stop_before_run(maker(bus))
