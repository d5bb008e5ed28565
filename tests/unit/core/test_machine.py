from datetime import timedelta

import pytest

from gofer.core.errors import IllegalTransition, NotFound
from gofer.core.ids import TaskId
from gofer.core.machine import cancel_queued, decide
from gofer.core.pipeline import RegistryAuth, Requirement
from gofer.core.run import ReasonCode, RunState, StopRequest, TaskState
from gofer.core.step import (
    Admitted,
    ArmDeadline,
    EnsureImages,
    RequiredImage,
    RunChanged,
    Signal,
    Step,
    TaskExited,
    TaskRunChanged,
)
from gofer.core.times import TICK
from tests.factories import NOW, make_plan, make_progress, make_run, make_task, make_task_run
from tests.unit.core.driver import ADMITTED, Driver, exited, launch, lost, refused, started

CHAIN = {"one": [], "two": ["one"], "three": ["two"]}


def test_admission_makes_all_task_runs_and_launches_those_without_parents() -> None:
    run = Driver({"left": [], "right": [], "last": ["left", "right"]})

    step = run(ADMITTED)

    assert {"left": "STARTING", "right": "STARTING", "last": "PENDING"} == run.states
    assert run.run.state is RunState.RUNNING
    assert run.run.admitted_at == run.now == run.task("last").created_at
    assert isinstance(step.changes[0], RunChanged)
    assert (EnsureImages(images=(RequiredImage(name="busybox:latest"),)), launch("left"), launch("right")) == (
        step.effects
    )
    assert ["RUN_ADMITTED", "TASKRUN_CREATED left", "TASKRUN_CREATED right", "TASKRUN_CREATED last"] == run.told


def test_a_launched_task_has_its_attempt_and_its_engine_and_a_waiting_one_has_not() -> None:
    run = Driver({"one": [], "two": ["one"]})

    run(ADMITTED)

    assert (1, "memory") == (run.task("one").attempt, run.task("one").engine)
    assert (0, "") == (run.task("two").attempt, run.task("two").engine)


def test_a_run_has_the_engine_that_its_first_attempt_was_given_to() -> None:
    run = Driver({"one": []})
    assert "" == run.run.engine

    run(ADMITTED)

    assert "memory" == run.run.engine


def test_a_task_that_wrote_nothing_is_known_for_it() -> None:
    run = Driver({"one": [], "two": []})

    run(ADMITTED, started("one"), started("two"))
    run(TaskExited(task=TaskId("one"), exit_code=0, silent=True), exited("two"))

    assert (True, False) == (run.task("one").silent, run.task("two").silent)


def test_admission_names_each_image_once_with_what_opens_its_registry() -> None:
    auth = RegistryAuth(user="me", sealed_password=b"sealed")
    tasks = {
        task.id: task
        for task in (
            make_task("one"),
            make_task("two", registry_auth=auth),
            make_task("three", registry_auth=auth),
            make_task("four", image="alpine"),
        )
    }
    plan = make_plan({"one": [], "two": [], "three": [], "four": []}, tasks=tasks)

    images = decide(plan, make_progress(plan), Admitted(), at=NOW).effects[0]

    assert isinstance(images, EnsureImages)
    assert [("busybox:latest", None), ("busybox:latest", auth), ("alpine", None)] == [
        (image.name, image.registry_auth) for image in images.images
    ]


def test_a_run_without_tasks_is_successful_at_admission() -> None:
    run = Driver({}, deadline=timedelta(minutes=1))

    step = run(ADMITTED)

    assert run.run.state is RunState.SUCCEEDED
    assert run.run.ended_at == run.now
    assert () == step.effects
    assert ["RUN_ADMITTED", "RUN_COMPLETED SUCCESSFUL"] == run.told


def test_one_task_tells_its_whole_story_in_order() -> None:
    run = Driver({"hello": []})

    run(ADMITTED, started("hello"), exited("hello"))

    assert [
        "RUN_ADMITTED",
        "TASKRUN_CREATED hello",
        "TASKRUN_STARTED hello",
        "TASKRUN_COMPLETED hello SUCCESSFUL",
        "RUN_COMPLETED SUCCESSFUL",
    ] == run.told
    assert (TaskState.SUCCEEDED, 0, None) == (run.task("hello").state, run.task("hello").exit_code, run.run.reason)


def test_a_child_starts_in_the_step_in_which_its_last_parent_ends() -> None:
    run = Driver({"left": [], "right": [], "last": ["left", "right"]})
    run(ADMITTED, started("left"), started("right"))

    first = run(exited("left"))
    second = run(exited("right"))

    assert () == first.effects
    assert (launch("last"),) == second.effects
    assert "STARTING" == run.task("last").state


@pytest.mark.parametrize(
    ("parent", "any_", "success", "failure"),
    [
        ("SUCCEEDED", "STARTING", "STARTING", "SKIPPED"),
        ("FAILED", "STARTING", "SKIPPED", "STARTING"),
        ("SKIPPED", "STARTING", "SKIPPED", "SKIPPED"),
        ("CANCELLED", "SKIPPED", "SKIPPED", "SKIPPED"),
    ],
)
def test_the_end_of_a_parent_decides_what_its_children_do(parent: str, any_: str, success: str, failure: str) -> None:
    run = Driver(
        {
            "source": [],
            "parent": {"source": Requirement.FAILURE} if parent == "SKIPPED" else [],
            "any": {"parent": Requirement.ANY},
            "success": {"parent": Requirement.SUCCESS},
            "failure": {"parent": Requirement.FAILURE},
        }
    )
    run(ADMITTED, started("source"))
    if parent == "CANCELLED":
        run.ask(task="parent")

    run(exited("source")) if parent == "SKIPPED" else run(exited("parent", 0 if parent == "SUCCEEDED" else 3))

    assert [parent, any_, success, failure] == [run.states[each] for each in ("parent", "any", "success", "failure")]


def test_a_skipped_task_says_which_parent_did_not_end_as_required() -> None:
    run = Driver({"good": [], "bad": [], "last": ["good", "bad"]})

    run(ADMITTED, exited("good"), exited("bad", 2))

    skipped = run.task("last")
    assert (TaskState.SKIPPED, None, run.now, 0) == (
        skipped.state,
        skipped.started_at,
        skipped.ended_at,
        skipped.attempt,
    )
    assert skipped.reason is not None
    assert (ReasonCode.REQUIREMENT_UNMET, "requires SUCCESS of the task bad, which ended FAILED") == (
        skipped.reason.code,
        skipped.reason.description,
    )
    assert "TASKRUN_COMPLETED last SKIPPED" in run.told


def test_a_skip_is_handed_down_and_the_run_completes_last() -> None:
    run = Driver(CHAIN)

    run(ADMITTED, started("one"))
    run.events.clear()
    run(exited("one", 1))

    assert [
        "TASKRUN_COMPLETED one FAILED",
        "TASKRUN_COMPLETED two SKIPPED",
        "TASKRUN_COMPLETED three SKIPPED",
        "RUN_COMPLETED FAILED",
    ] == run.told


def test_an_exit_code_makes_a_failure_with_its_reason() -> None:
    run = Driver({"hello": []})

    run(ADMITTED, started("hello"), exited("hello", 42))

    task, whole = run.task("hello").reason, run.run.reason
    assert task is not None
    assert whole is not None
    assert (ReasonCode.ABNORMAL_EXIT, "the container exited with 42") == (task.code, task.description)
    assert (ReasonCode.ABNORMAL_EXIT, "1 of 1 tasks failed") == (whole.code, whole.description)
    assert 42 == run.task("hello").exit_code


def test_a_handled_failure_still_fails_the_run() -> None:
    run = Driver({"work": [], "cleanup": {"work": Requirement.FAILURE}})

    run(ADMITTED, exited("work", 1), exited("cleanup"))

    assert {"work": "FAILED", "cleanup": "SUCCEEDED"} == run.states
    assert run.run.state is RunState.FAILED


def test_a_task_that_could_not_be_launched_fails_without_start_and_exit_code() -> None:
    run = Driver({"hello": []})

    run(ADMITTED, refused("hello"))

    found = run.task("hello")
    assert (TaskState.FAILED, None, None) == (found.state, found.started_at, found.exit_code)
    assert found.reason is not None
    assert found.reason.code is ReasonCode.LAUNCH_FAILED
    assert "TASKRUN_STARTED hello" not in run.told


@pytest.mark.parametrize("before", [(), (started("hello"),)])
def test_a_task_that_its_engine_does_not_know_is_orphaned(before: tuple[Signal, ...]) -> None:
    run = Driver({"hello": []})

    run(ADMITTED, *before, lost("hello"))

    reason = run.task("hello").reason
    assert reason is not None
    assert (TaskState.FAILED, ReasonCode.ORPHANED) == (run.task("hello").state, reason.code)


def test_times_are_the_engines_where_it_knows_them() -> None:
    begin, end = NOW - timedelta(seconds=9), NOW - timedelta(seconds=2)
    run = Driver({"hello": []})

    run(ADMITTED, started("hello", begin), exited("hello", ended_at=end))

    assert (begin, end) == (run.task("hello").started_at, run.task("hello").ended_at)


def test_times_are_ours_where_the_engine_knows_none() -> None:
    run = Driver({"hello": []})

    run(ADMITTED, started("hello"))
    begin = run.now
    run(exited("hello"))

    assert (begin, run.now) == (run.task("hello").started_at, run.task("hello").ended_at)


def test_an_exit_that_knows_its_start_corrects_the_one_that_was_guessed() -> None:
    run = Driver({"hello": []})

    run(ADMITTED, started("hello"), exited("hello", started_at=NOW, ended_at=NOW))

    assert (NOW, NOW) == (run.task("hello").started_at, run.task("hello").ended_at)


@pytest.mark.parametrize("behind", [timedelta(milliseconds=9), timedelta(seconds=9)], ids=["by a tick", "by far"])
def test_a_start_that_a_coarse_clock_tells_a_tick_early_is_when_the_task_was_due(behind: timedelta) -> None:
    run = Driver({"first": [], "next": {"first": Requirement.ANY}})
    coarse = behind < TICK

    run(ADMITTED)
    admitted_at = run.now
    run(exited("first", started_at=admitted_at - behind))
    due = run.now
    run(started("next", due - behind), exited("next", started_at=due - behind))

    begins = (run.task("first").started_at, run.task("next").started_at)
    assert begins == ((admitted_at, due) if coarse else (admitted_at - behind, due - behind))


def test_a_task_never_ends_before_it_started() -> None:
    run = Driver({"adopted": [], "seen": []})

    run(ADMITTED, started("seen"))
    begin = run.now
    run(exited("seen", ended_at=NOW), exited("adopted", ended_at=NOW))

    assert (begin, begin) == (run.task("seen").started_at, run.task("seen").ended_at)
    assert (NOW, NOW) == (run.task("adopted").started_at, run.task("adopted").ended_at)


def test_an_exit_without_a_start_before_it_tells_of_both() -> None:
    run = Driver({"hello": []})

    run(ADMITTED)
    run.events.clear()
    run(exited("hello", started_at=NOW))

    assert ["TASKRUN_STARTED hello", "TASKRUN_COMPLETED hello SUCCESSFUL", "RUN_COMPLETED SUCCESSFUL"] == run.told
    assert NOW == run.task("hello").started_at


def test_a_repeated_start_changes_nothing() -> None:
    run = Driver({"hello": []})
    run(ADMITTED, started("hello"))

    assert Step() == run(started("hello", NOW))


@pytest.mark.parametrize("signal", [started("one"), exited("one", 1), refused("one"), lost("one")])
def test_signals_of_a_task_that_has_ended_are_absorbed(signal: Signal) -> None:
    run = Driver({"one": [], "two": []})
    run(ADMITTED, exited("one"))

    assert Step() == run(signal)


def test_a_second_admission_changes_nothing() -> None:
    run = Driver({"hello": []})
    run(ADMITTED)

    assert Step() == run(ADMITTED)


def test_a_signal_for_a_task_that_the_run_has_not_is_not_found() -> None:
    run = Driver({"hello": []})
    run(ADMITTED)

    with pytest.raises(NotFound, match="default/simple/1/other"):
        run(started("other"))


def test_what_the_tables_do_not_have_is_illegal_and_names_state_and_signal() -> None:
    run = Driver({"one": [], "two": ["one"]})

    with pytest.raises(
        IllegalTransition, match="the run default/simple/1 is PENDING and takes no TaskStarted"
    ) as queued:
        run(started("one"))
    run(ADMITTED)
    with pytest.raises(IllegalTransition, match="the task run default/simple/1/two is PENDING and takes no TaskExited"):
        run(exited("two"))

    assert {"state": "PENDING", "signal": "TaskStarted"} == queued.value.details


def test_deciding_leaves_the_progress_as_it_is() -> None:
    plan = make_plan(CHAIN)
    progress = make_progress(plan)

    decide(plan, progress, Admitted(), at=NOW)

    assert make_progress(plan) == progress


def test_a_step_holds_only_the_rows_that_became_different() -> None:
    run = Driver(CHAIN)
    run(ADMITTED)

    changes = run(started("one")).changes

    assert (TaskRunChanged(task_run=run.task("one")),) == changes


def test_a_deadline_is_counted_from_admission() -> None:
    run = Driver({"hello": []}, deadline=timedelta(hours=1))

    step = run(ADMITTED)

    assert ArmDeadline(at=run.now + timedelta(hours=1)) == step.effects[-1]


def test_a_queued_run_is_cancelled_without_task_runs() -> None:
    request = StopRequest(at=NOW, force=False)

    step = cancel_queued(make_run(), request, at=NOW)

    [change] = step.changes
    assert isinstance(change, RunChanged)
    assert (RunState.CANCELLED, NOW, request) == (change.run.state, change.run.ended_at, change.run.stop_request)
    assert change.run.reason is not None
    assert change.run.reason.code is ReasonCode.CANCELLED
    assert ["CANCELLED"] == [getattr(event, "status", "") for event in step.events]
    assert () == step.effects


def test_only_a_queued_run_is_cancelled_as_one() -> None:
    with pytest.raises(IllegalTransition):
        cancel_queued(make_run(state=RunState.RUNNING), StopRequest(at=NOW, force=False), at=NOW)


def test_an_attempt_goes_on_from_the_number_that_is_stored() -> None:
    plan = make_plan({"one": [], "two": ["one"]})
    run = Driver({"one": [], "two": ["one"]})
    run.progress = make_progress(
        plan, make_task_run("one", state=TaskState.RUNNING, started_at=NOW), make_task_run("two", attempt=4)
    )

    assert (launch("two", 5),) == run(exited("one")).effects
