"""Random graphs, random interleavings, crashes, repeated and late signals: what always holds."""

from collections.abc import Mapping
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from gofer.core.events import RunCompleted, TaskRunCompleted, TaskRunCreated, TaskRunEvent, TaskRunStarted
from gofer.core.pipeline import Requirement
from tests.factories import make_plan
from tests.unit.core.world import World


@st.composite
def graphs(draw: st.DrawFn) -> Mapping[str, Mapping[str, Requirement]]:
    """Draw up to six tasks; each may wait for any of those before it."""
    names = [f"task{number}" for number in range(draw(st.integers(0, 6)))]
    return {
        name: {
            parent: draw(st.sampled_from(list(Requirement))) for parent in names[:number] if draw(st.integers(0, 2)) > 0
        }
        for number, name in enumerate(names)
    }


@settings(max_examples=500)
@given(graph=graphs(), moves=st.integers(0, 60), seed=st.integers(0, 2**32))
def test_every_run_comes_to_its_right_end_whatever_happens(
    graph: Mapping[str, Mapping[str, Requirement]], moves: int, seed: int
) -> None:
    """The moves come from a seed: drawn one by one they would cost a hundred times as much as what they test."""
    world = World(make_plan(graph))
    choose = Random(seed).choice

    for _ in range(moves):
        world.step(choose)
    world.settle(choose, moves=50 * (len(graph) + 1))

    world.check_outcome()
    check_events(world)


def check_events(world: World) -> None:
    """Hold what was told against the rows, and its order against the wire's."""
    ended_queued = world.run.admitted_at is None
    kinds = [event.kind for event in world.events]
    assert [] == kinds[:-1] if ended_queued else "RUN_ADMITTED" == kinds[0]
    assert isinstance(world.events[-1], RunCompleted)
    assert 1 == kinds.count("RUN_COMPLETED")
    for task, found in world.progress.task_runs.items():
        story = [type(e) for e in world.events if isinstance(e, TaskRunEvent) and e.task_run_id == task]
        started = [TaskRunStarted] if found.started_at is not None else []
        assert [TaskRunCreated, *started, TaskRunCompleted] == story
