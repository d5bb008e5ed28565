import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gofer.api.convert.events import event_query_of, event_to_proto
from gofer.api.convert.runs import RUN_REASONS, RUN_STATES, run_to_proto, start_run_of
from gofer.api.convert.system import system_info_to_proto
from gofer.api.convert.task_runs import TASK_RUN_REASONS, split_state, task_run_to_proto
from gofer.core.events import Envelope, RunCompleted
from gofer.core.ids import EventId, InstanceId, RunId, Version
from gofer.core.run import Initiator, InitiatorType, Reason, ReasonCode, RunState, StopRequest, TaskState
from gofer.core.times import to_ms
from gofer.core.variables import environment
from gofer.services.events import EventQuery
from gofer.services.runs import StartRun
from gofer.services.system import SystemInfo
from gofer.services.task_runs import TaskRunView
from gofer.storage.raw_event import RawEvent
from gofer_sdk._proto import proto
from gofer_sdk.codec import decode, encode
from tests.factories import NAMESPACE, NOW, PIPELINE, make_run, make_task, make_task_run

LATER = NOW + timedelta(minutes=1)
ABNORMAL = proto.TaskRunStatusReasonReason.ABNORMAL_EXIT
STATE, STATUS = proto.TaskRunTaskRunState, proto.TaskRunTaskRunStatus


def view(*, waiting: bool = False, **changes: Any) -> TaskRunView:  # noqa: ANN401 - the factory's own
    run, task = make_run(version=Version(7)), make_task(variables={"KEY": "value"})
    return TaskRunView(
        task_run=make_task_run(**changes), task=task, run=run, variables=environment(run, task), waiting=waiting
    )


# ---------------------------------------------------------------- runs


def test_a_run_goes_out_whole() -> None:
    run = make_run(
        3,
        version=Version(2),
        state=RunState.CANCELLED,
        reason=Reason(code=ReasonCode.CANCELLED, description="words"),
        variables={"B": "1", "A": "2"},
        request_id="abc",
        admitted_at=NOW,
        ended_at=LATER,
        stop_request=StopRequest(at=LATER, force=True),
        objects_expired=True,
    )

    message = run_to_proto(run)

    assert message == proto.Run(
        namespace="default",
        pipeline="simple",
        version=2,
        id=3,
        started=to_ms(NOW),
        ended=to_ms(LATER),
        state=proto.RunRunState.COMPLETE,
        status=proto.RunRunStatus.CANCELLED,
        status_reason=proto.RunStatusReason(
            reason=proto.RunStatusReasonRunStatusReasonKind.USER_CANCELLED, description="words", code="cancelled"
        ),
        initiator=proto.Initiator(type=proto.InitiatorType.HUMAN, name="cli"),
        variables=[
            proto.Variable(key="B", value="1", source="RUN_OPTIONS"),
            proto.Variable(key="A", value="2", source="RUN_OPTIONS"),
        ],
        store_objects_expired=True,
        cancel_requested=to_ms(LATER),
        admitted=to_ms(NOW),
        request_id="abc",
    )
    assert decode(proto.Run, encode(message)) == message


def test_a_queued_run_has_no_times_but_that_of_its_creation_and_still_a_reason() -> None:
    message = run_to_proto(make_run())

    assert (message.ended, message.admitted, message.cancel_requested) == (0, 0, 0)
    assert message.status_reason == proto.RunStatusReason()


@pytest.mark.parametrize(
    ("ours", "state", "status"),
    [
        (RunState.PENDING, "PENDING", "RUN_STATUS_UNKNOWN"),
        (RunState.RUNNING, "RUNNING", "RUN_STATUS_UNKNOWN"),
        (RunState.SUCCEEDED, "COMPLETE", "SUCCESSFUL"),
        (RunState.FAILED, "COMPLETE", "FAILED"),
        (RunState.CANCELLED, "COMPLETE", "CANCELLED"),
    ],
)
def test_a_runs_state_is_split_into_state_and_status(ours: RunState, state: str, status: str) -> None:
    assert [found.name for found in RUN_STATES[ours]] == [state, status]


def test_every_state_and_reason_has_a_word_on_the_wire() -> None:
    assert set(RUN_STATES) == set(RunState)
    assert set(RUN_REASONS) == set(ReasonCode)
    assert set(TASK_RUN_REASONS) == set(ReasonCode)
    assert 0 not in {int(found) for found in (*RUN_REASONS.values(), *TASK_RUN_REASONS.values())}


def test_what_a_caller_wants_to_run_is_read() -> None:
    request = proto.StartRunRequest(
        namespace_id="team",
        pipeline_id="simple",
        variables={"A": "1"},
        initiator=proto.Initiator(type=proto.InitiatorType.BOT, name="me", reason="why"),
        request_id="abc",
    )

    assert start_run_of(request) == StartRun(
        namespace="team",
        pipeline="simple",
        variables={"A": "1"},
        initiator=Initiator(type=InitiatorType.BOT, name="me", reason="why"),
        request_id="abc",
    )
    assert start_run_of(proto.StartRunRequest()).initiator is None


# ---------------------------------------------------------------- task runs


def test_a_task_run_goes_out_whole() -> None:
    whole = view(
        state=TaskState.FAILED,
        reason=Reason(code=ReasonCode.ABNORMAL_EXIT, description="words"),
        attempt=2,
        engine="docker",
        exit_code=3,
        started_at=NOW,
        ended_at=LATER,
        stop_request=StopRequest(at=LATER, force=False),
        logs_expired=True,
        logs_removed=True,
    )

    message = task_run_to_proto(whole)

    assert (message.task and message.task.id, message.variables[-1].key) == ("hello", "KEY")
    message.task, message.variables = None, []
    assert message == proto.TaskRun(
        created=to_ms(NOW),
        ended=to_ms(LATER),
        exit_code=3,
        status_reason=proto.TaskRunStatusReason(reason=ABNORMAL, description="words", code="abnormal_exit"),
        id="hello",
        logs_expired=True,
        logs_removed=True,
        namespace="default",
        pipeline="simple",
        version=7,
        run=1,
        started=to_ms(NOW),
        state=STATE.COMPLETE,
        status=STATUS.FAILED,
        attempt=2,
        engine="docker",
        cancel_requested=to_ms(LATER),
        exit_code_known=3,
        substate="FAILED",
    )
    assert decode(proto.TaskRun, encode(message)) == message


def test_what_0_6_clients_read_without_asking_is_never_null() -> None:
    message = task_run_to_proto(view())

    assert message.task is not None
    assert message.status_reason == proto.TaskRunStatusReason()


@pytest.mark.parametrize(
    ("state", "exit_code", "shown"),
    [
        (TaskState.PENDING, None, 999),
        (TaskState.RUNNING, None, 999),
        (TaskState.SUCCEEDED, 0, 0),
        (TaskState.FAILED, 137, 137),
        (TaskState.FAILED, None, 999),
        (TaskState.SKIPPED, None, 999),
        (TaskState.CANCELLED, 143, 999),
        (TaskState.CANCELLED, None, 999),
    ],
)
def test_a_missing_exit_code_and_that_of_a_cancelled_task_run_is_999(
    state: TaskState, exit_code: int | None, shown: int
) -> None:
    message = task_run_to_proto(view(state=state, exit_code=exit_code))

    assert (message.exit_code, message.exit_code_known) == (shown, exit_code)


@pytest.mark.parametrize(
    ("ours", "waiting", "state", "status"),
    [
        (TaskState.PENDING, True, "WAITING", "UNKNOWN_STATUS"),
        (TaskState.PENDING, False, "PROCESSING", "UNKNOWN_STATUS"),
        (TaskState.STARTING, False, "PROCESSING", "UNKNOWN_STATUS"),
        (TaskState.RUNNING, False, "RUNNING", "UNKNOWN_STATUS"),
        (TaskState.STOPPING, False, "RUNNING", "UNKNOWN_STATUS"),
        (TaskState.SUCCEEDED, False, "COMPLETE", "SUCCESSFUL"),
        (TaskState.FAILED, False, "COMPLETE", "FAILED"),
        (TaskState.CANCELLED, False, "COMPLETE", "CANCELLED"),
        (TaskState.SKIPPED, False, "COMPLETE", "SKIPPED"),
    ],
)
def test_a_task_runs_state_is_split_into_state_and_status(
    ours: TaskState, *, waiting: bool, state: str, status: str
) -> None:
    assert [found.name for found in split_state(ours, waiting=waiting)] == [state, status]


# ---------------------------------------------------------------- events and the server itself


def test_an_event_goes_out_with_its_details_as_json_in_their_order() -> None:
    event = RunCompleted(
        namespace_id=NAMESPACE,
        pipeline_id=PIPELINE,
        run_id=RunId(7),
        status="SUCCESSFUL",
        initiator_type="HUMAN",
        initiator_name="J\u00f6rg \U0001f600",
    )

    message = event_to_proto(Envelope(id=EventId(3), at=NOW, event=event))

    assert (message.id, message.type, message.emitted) == (3, "RUN_COMPLETED", to_ms(NOW))
    assert list(json.loads(message.details).items()) == [
        ("namespace_id", "default"),
        ("pipeline_id", "simple"),
        ("run_id", 7),
        ("status", "SUCCESSFUL"),
        ("initiator_type", "HUMAN"),
        ("initiator_name", "J\u00f6rg \U0001f600"),
    ]
    assert decode(proto.Event, encode(message)) == message


def test_an_event_of_another_version_goes_out_as_it_was_recorded() -> None:
    event = RawEvent(kind="FROM_THE_FUTURE", recorded={"more": 1})

    message = event_to_proto(Envelope(id=EventId(3), at=NOW, event=event))

    assert (message.type, message.details) == ("FROM_THE_FUTURE", '{"more":1}')


def test_what_a_follower_wants_is_read() -> None:
    request = proto.ListEventsRequest(
        reverse=True,
        follow=True,
        after_id=3,
        kinds=["RUN_STARTED", "RUN_STARTED"],
        namespace_id="team",
        pipeline_id="simple",
        run_id=7,
        limit=9,
    )

    assert event_query_of(request) == EventQuery(
        reverse=True,
        follow=True,
        after_id=3,
        kinds=frozenset({"RUN_STARTED"}),
        namespace="team",
        pipeline="simple",
        run=7,
        limit=9,
    )
    assert event_query_of(proto.ListEventsRequest()) == EventQuery()


def test_the_server_tells_what_it_is() -> None:
    info = SystemInfo(
        version="1.2.3",
        commit="abcdef",
        dev_mode=True,
        scheduler_engine="process",
        instance=InstanceId("0123456789ab"),
        notes=("a", "b"),
    )

    assert system_info_to_proto(info, at=datetime(2026, 1, 1, tzinfo=UTC)) == proto.GetSystemInfoResponse(
        commit="abcdef",
        semver="1.2.3",
        dev_mode=True,
        scheduler_engine="process",
        instance_id="0123456789ab",
        notes=["a", "b"],
        server_time=1_767_225_600_000,
    )
    assert system_info_to_proto(replace(info, commit=""), at=datetime(2026, 1, 1, tzinfo=UTC)).commit == "000000"
