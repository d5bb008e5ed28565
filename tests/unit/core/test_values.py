"""Ids, events and plans: how they are named and shown."""

from gofer.core.events import EVENT_CLASSES, RunCancelRequested
from gofer.core.ids import InstanceId, TaskId
from gofer.core.pipeline import Requirement
from tests.factories import NAMESPACE, PIPELINE, make_pipeline, make_plan, make_run, make_task_run, run_key


def test_keys_are_written_with_a_slash_that_no_id_may_hold() -> None:
    attempt = make_task_run("hello", attempt=2).attempt_id(InstanceId("i1"))

    assert "default/simple" == str(make_pipeline().key) == str(run_key().of_pipeline)
    assert "default/simple/7" == str(make_run(7).key)
    assert "i1/default/simple/1/hello/2" == str(attempt)
    assert run_key(1) == attempt.key.of_run


def test_an_event_shows_its_fields_in_the_order_of_the_wire() -> None:
    event = RunCancelRequested(namespace_id=NAMESPACE, pipeline_id=PIPELINE, run_id=run_key(3).run, force=1)

    assert {"namespace_id": "default", "pipeline_id": "simple", "run_id": 3, "force": 1} == event.details()
    assert ["namespace_id", "pipeline_id", "run_id", "force"] == list(event.details())


def test_every_event_class_is_found_by_its_kind() -> None:
    assert all(kind == found.kind for kind, found in EVENT_CLASSES.items())
    assert {"RUN_STARTED", "RUN_ADMITTED", "TASKRUN_COMPLETED"} <= set(EVENT_CLASSES)


def test_a_plan_knows_who_waits_for_whom_and_for_what() -> None:
    plan = make_plan({"one": [], "two": {"one": Requirement.FAILURE}, "three": ["one", "two"]})

    assert {"one": ("two", "three"), "two": ("three",), "three": ()} == plan.children
    assert Requirement.FAILURE is plan.tasks[TaskId("two")].depends_on[TaskId("one")]
