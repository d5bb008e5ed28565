import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer.core.admission import Queues, TaskSlots, effective_limit
from gofer.core.errors import InvalidInput
from gofer.core.ids import RunKey, TaskId, TaskRunKey
from tests.factories import run_key


def task_key(name: str) -> TaskRunKey:
    return run_key().task(TaskId(name))


def in_order(*runs: RunKey) -> list[int]:
    return [run.run for run in runs]


@pytest.mark.parametrize(
    ("pipeline", "server", "limit"), [(0, 0, None), (3, 0, 3), (0, 200, 200), (3, 200, 3), (300, 200, 200), (1, 1, 1)]
)
def test_the_smaller_of_the_limits_that_are_set_holds(pipeline: int, server: int, limit: int | None) -> None:
    assert limit == effective_limit(pipeline, server)


@pytest.mark.parametrize("limits", [(-1, 0), (0, -1)])
def test_a_negative_limit_is_refused(limits: tuple[int, int]) -> None:
    with pytest.raises(InvalidInput, match="0 means none"):
        effective_limit(*limits)


def test_runs_start_in_the_order_in_which_they_were_queued() -> None:
    queues = Queues()
    for number in (3, 1, 2):
        queues.enqueue(run_key(number), limit=None)

    assert [3, 1, 2] == in_order(*queues.admissible())
    assert [] == list(queues.admissible())


def test_a_full_pipeline_waits_until_one_of_its_runs_ends() -> None:
    queues = Queues()
    for number in (1, 2, 3):
        queues.enqueue(run_key(number), limit=1)

    first = in_order(*queues.admissible())
    queues.ended(run_key(1))
    second = in_order(*queues.admissible())

    assert ([1], [2]) == (first, second)


def test_a_full_pipeline_never_holds_up_another() -> None:
    queues = Queues()
    for number in range(1, 4):
        queues.enqueue(run_key(number), limit=1)
    queues.enqueue(run_key(1, pipeline="other"), limit=1)
    queues.enqueue(run_key(1, namespace="other"), limit=1)

    assert {run_key(1), run_key(1, pipeline="other"), run_key(1, namespace="other")} == set(queues.admissible())


def test_open_pipelines_take_turns() -> None:
    queues = Queues()
    for number in (1, 2):
        queues.enqueue(run_key(number), limit=None)
    queues.enqueue(run_key(1, pipeline="other"), limit=None)

    assert ["simple", "other", "simple"] == [run.pipeline for run in queues.admissible()]


def test_runs_that_were_live_before_count() -> None:
    queues = Queues()
    queues.started(run_key(1))
    queues.enqueue(run_key(2), limit=1)
    before = list(queues.admissible())

    queues.ended(run_key(1))

    assert [] == before
    assert [2] == in_order(*queues.admissible())


def test_a_queued_run_that_somebody_else_started_is_not_started_again() -> None:
    queues = Queues()
    queues.enqueue(run_key(1), limit=2)
    queues.started(run_key(1))
    queues.enqueue(run_key(1), limit=2)

    assert [] == list(queues.admissible())


def test_a_queued_run_that_ends_gives_up_its_place() -> None:
    queues = Queues()
    for number in (1, 2, 3):
        queues.enqueue(run_key(number), limit=1)
    started = in_order(*queues.admissible())

    queues.ended(run_key(2))
    queues.ended(run_key(1))

    assert ([1], [3]) == (started, in_order(*queues.admissible()))


def test_a_run_that_is_queued_again_keeps_its_place_and_takes_the_new_limit() -> None:
    queues = Queues()
    queues.started(run_key(9))
    for number in (1, 2):
        queues.enqueue(run_key(number), limit=1)
    assert [] == list(queues.admissible())

    queues.enqueue(run_key(1), limit=2)

    assert [1] == in_order(*queues.admissible())


def test_the_end_of_an_unknown_run_is_nothing_new() -> None:
    queues = Queues()

    queues.ended(run_key(1))

    assert [] == list(queues.admissible())


def test_a_pipeline_whose_runs_are_over_begins_anew() -> None:
    queues = Queues()
    queues.enqueue(run_key(1), limit=1)
    first = in_order(*queues.admissible())
    queues.ended(run_key(1))
    queues.ended(run_key(1))

    queues.enqueue(run_key(2), limit=1)

    assert ([1], [2]) == (first, in_order(*queues.admissible()))


class PlainQueues:
    """What `Queues` promises, said the obvious way."""

    def __init__(self, limits: dict[str, int | None]) -> None:
        self.limits = limits
        self.waiting: dict[str, list[int]] = {name: [] for name in limits}
        self.live: dict[str, set[int]] = {name: set() for name in limits}

    def enqueue(self, number: int, pipeline: str) -> None:
        if number not in self.live[pipeline] and number not in self.waiting[pipeline]:
            self.waiting[pipeline].append(number)

    def ended(self, number: int, pipeline: str) -> None:
        self.live[pipeline].discard(number)
        self.waiting[pipeline] = [each for each in self.waiting[pipeline] if each != number]

    def admissible(self) -> dict[str, list[int]]:
        found = {}
        for name, line in self.waiting.items():
            limit = self.limits[name]
            room = len(line) if limit is None else max(0, limit - len(self.live[name]))
            found[name], self.waiting[name] = line[:room], line[room:]
            self.live[name].update(found[name])
        return found


@given(
    events=st.lists(st.tuples(st.sampled_from(["enqueue", "end", "admit"]), st.integers(1, 8), st.sampled_from("ab"))),
    limits=st.fixed_dictionaries({"a": st.integers(1, 3) | st.none(), "b": st.integers(1, 3) | st.none()}),
)
def test_queues_do_what_plain_lists_would(events: list[tuple[str, int, str]], limits: dict[str, int | None]) -> None:
    queues, plain = Queues(), PlainQueues(limits)
    for what, number, pipeline in events:
        key = run_key(number, pipeline=pipeline)
        if what == "enqueue":
            queues.enqueue(key, limit=limits[pipeline])
            plain.enqueue(number, pipeline)
        elif what == "end":
            queues.ended(key)
            plain.ended(number, pipeline)
        else:
            admitted = list(queues.admissible())
            assert plain.admissible() == {
                name: [run.run for run in admitted if run.pipeline == name] for name in limits
            }


def test_slots_are_given_out_up_to_the_limit_and_then_in_turn() -> None:
    slots = TaskSlots(2)

    asked = [slots.request(task_key(name)) for name in ("one", "two", "three", "four")]
    granted = [slots.release(task_key("one")), slots.release(task_key("two"))]

    assert [True, True, False, False] == asked
    assert [(task_key("three"),), (task_key("four"),)] == granted
    assert (2, 0) == (slots.live, slots.waiting)


def test_without_a_limit_nobody_waits() -> None:
    slots = TaskSlots(0)

    assert all(slots.request(task_key(f"task{number}")) for number in range(1_000))


def test_whoever_asks_again_keeps_the_place() -> None:
    slots = TaskSlots(1)

    asked = [slots.request(task_key(name)) for name in ("one", "two", "three", "two", "one")]

    assert [True, False, False, False, True] == asked
    assert (task_key("two"),) == slots.release(task_key("one"))


def test_whoever_gives_up_the_wait_is_not_given_a_slot() -> None:
    slots = TaskSlots(1)
    for name in ("one", "two", "three"):
        slots.request(task_key(name))

    assert () == slots.release(task_key("two"))
    assert (task_key("three"),) == slots.release(task_key("one"))
    assert () == slots.release(task_key("one"))


def test_a_newcomer_does_not_overtake_the_line() -> None:
    slots = TaskSlots(1)
    slots.request(task_key("one"))
    slots.request(task_key("two"))

    slots.release(task_key("one"))

    assert not slots.request(task_key("three"))


def test_containers_that_are_there_already_count_even_beyond_the_limit() -> None:
    slots = TaskSlots(1)
    slots.request(task_key("two"))
    slots.request(task_key("one"))
    slots.take_over(task_key("one"))
    slots.request(task_key("three"))

    first, second = slots.release(task_key("one")), slots.release(task_key("two"))

    assert () == first
    assert (task_key("three"),) == second


def test_a_negative_number_of_slots_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"scheduler\.max_tasks"):
        TaskSlots(-1)


@given(st.integers(1, 4), st.lists(st.tuples(st.sampled_from(["request", "release"]), st.integers(0, 9)), max_size=60))
def test_slots_never_exceed_the_limit_and_never_idle_while_somebody_waits(
    limit: int, events: list[tuple[str, int]]
) -> None:
    slots = TaskSlots(limit)
    holders: set[TaskRunKey] = set()
    for what, number in events:
        key = task_key(f"task{number}")
        if what == "request" and slots.request(key):
            holders.add(key)
        elif what == "release":
            holders.discard(key)
            holders.update(slots.release(key))
        assert len(holders) == slots.live <= limit
        assert not slots.waiting or slots.live == limit
