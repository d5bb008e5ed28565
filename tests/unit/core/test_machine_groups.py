"""Signals that are decided together come to the same as one after the other."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gofer.core.events import Event
from gofer.core.machine import apply, decide
from gofer.core.step import Signal
from tests.factories import NOW, make_plan, make_progress, make_run
from tests.unit.core.driver import ADMITTED, cancel, cancel_task, exited, launch, lost, refused, started, stop

GRAPH = {"first": [], "left": ["first"], "right": ["first"], "last": ["left", "right"]}
BEGINNING = (ADMITTED, started("first"), exited("first"))
LIVES: tuple[tuple[Signal, ...], ...] = (
    (*BEGINNING, started("left"), started("right"), exited("right"), exited("left"), started("last"), exited("last")),
    (*BEGINNING, started("left"), refused("right"), exited("left"), exited("left")),
    (*BEGINNING, started("left"), cancel_task("right"), exited("left"), lost("right")),
    (*BEGINNING, started("left"), cancel(), exited("left"), started("right"), exited("right", 143)),
)


@given(life=st.sampled_from(LIVES), cuts=st.sets(st.integers(1, 8)))
def test_groups_of_signals_come_to_the_same_as_single_ones(life: tuple[Signal, ...], cuts: set[int]) -> None:
    plan = make_plan(GRAPH)
    singly, together = make_progress(plan, run=make_run()), make_progress(plan, run=make_run())
    ends = [0, *sorted(cut for cut in cuts if cut < len(life)), len(life)]

    events_singly: list[Event] = []
    for signal in life:
        step = decide(plan, singly, signal, at=NOW)
        apply(singly, step.changes)
        events_singly += step.events
    events_together: list[Event] = []
    for begin, end in pairwise(ends):
        step = decide(plan, together, *life[begin:end], at=NOW)
        apply(together, step.changes)
        events_together += step.events

    assert singly == together
    assert events_singly == events_together


def test_a_task_that_is_stopped_in_the_step_of_its_launch_is_launched_to_be_stopped() -> None:
    plan = make_plan(GRAPH)
    progress = make_progress(plan, run=make_run())

    effects = decide(plan, progress, *BEGINNING, cancel_task("left"), at=NOW).effects

    assert (launch("left"), launch("right"), stop("left")) == effects[-3:]


def test_a_task_that_has_ended_in_the_same_step_is_not_launched() -> None:
    plan = make_plan(GRAPH)
    progress = make_progress(plan, run=make_run())

    assert launch("first") not in decide(plan, progress, *BEGINNING, at=NOW).effects
