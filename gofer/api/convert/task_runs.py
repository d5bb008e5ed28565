"""Task runs on the wire."""

from collections.abc import Mapping
from typing import Final, assert_never

from gofer.api.convert.common import NO_EXIT_CODE, ms, variables_to_proto
from gofer.api.convert.pipelines import task_to_proto
from gofer.core.run import Reason, ReasonCode, TaskRun, TaskState
from gofer.services.task_runs import LogQuery, TaskRunView
from gofer_sdk._proto import proto

_Reason = proto.TaskRunStatusReasonReason
# The nearest value that 0.6 knows; the exact code travels beside it.
TASK_RUN_REASONS: Final[Mapping[ReasonCode, proto.TaskRunStatusReasonReason]] = {
    ReasonCode.ABNORMAL_EXIT: _Reason.ABNORMAL_EXIT,
    ReasonCode.LAUNCH_FAILED: _Reason.SCHEDULER_ERROR,
    ReasonCode.IMAGE_UNAVAILABLE: _Reason.SCHEDULER_ERROR,
    ReasonCode.REFERENCE_UNRESOLVED: _Reason.FAILED_PRECONDITION,
    ReasonCode.NOT_DUE_YET: _Reason.FAILED_PRECONDITION,
    ReasonCode.REQUIREMENT_UNMET: _Reason.FAILED_PRECONDITION,
    ReasonCode.CANCELLED: _Reason.CANCELLED,
    ReasonCode.TASK_CANCELLED: _Reason.CANCELLED,
    ReasonCode.TIMED_OUT: _Reason.ABNORMAL_EXIT,
    ReasonCode.ORPHANED: _Reason.ORPHANED,
    ReasonCode.INTERNAL_ERROR: _Reason.SCHEDULER_ERROR,
}


def task_run_to_proto(view: TaskRunView) -> proto.TaskRun:
    """Give a task run with its definition and its environment."""
    found = view.task_run
    state, status = split_state(found.state, waiting=view.waiting)
    return proto.TaskRun(
        created=ms(found.created_at),
        ended=ms(found.ended_at),
        exit_code=_exit_code(found),
        status_reason=_reason_to_proto(found.reason),
        id=found.id,
        logs_expired=found.logs_expired,
        logs_removed=found.logs_removed,
        namespace=found.namespace,
        pipeline=found.pipeline,
        version=view.run.version,
        run=found.run,
        started=ms(found.started_at),
        state=state,
        status=status,
        task=task_to_proto(view.task),
        variables=variables_to_proto(view.variables),
        attempt=found.attempt,
        engine=found.engine,
        cancel_requested=ms(found.stop_request.at if found.stop_request else None),
        exit_code_known=found.exit_code,
        substate=found.state.value,
        damage=view.damage,
    )


def split_state(state: TaskState, *, waiting: bool) -> tuple[proto.TaskRunTaskRunState, proto.TaskRunTaskRunStatus]:
    """Give the wire's state and status; `waiting` tells whether a parent of the task run has not ended."""
    wire, status = proto.TaskRunTaskRunState, proto.TaskRunTaskRunStatus
    match state:
        case TaskState.PENDING:
            return (wire.WAITING if waiting else wire.PROCESSING), status.UNKNOWN_STATUS
        case TaskState.STARTING:
            return wire.PROCESSING, status.UNKNOWN_STATUS
        case TaskState.RUNNING | TaskState.STOPPING:
            return wire.RUNNING, status.UNKNOWN_STATUS
        case TaskState.SUCCEEDED:
            return wire.COMPLETE, status.SUCCESSFUL
        case TaskState.FAILED:
            return wire.COMPLETE, status.FAILED
        case TaskState.CANCELLED:
            return wire.COMPLETE, status.CANCELLED
        case TaskState.SKIPPED:
            return wire.COMPLETE, status.SKIPPED
        case _:
            assert_never(state)


def _exit_code(task_run: TaskRun) -> int:
    if task_run.exit_code is None or task_run.state is TaskState.CANCELLED:
        return NO_EXIT_CODE
    return task_run.exit_code


def _reason_to_proto(reason: Reason | None) -> proto.TaskRunStatusReason:
    if reason is None:
        return proto.TaskRunStatusReason()
    return proto.TaskRunStatusReason(
        reason=TASK_RUN_REASONS[reason.code], description=reason.description, code=reason.code.value
    )


def log_query_of(request: proto.GetTaskRunLogsRequest) -> LogQuery:
    """Read which part of a log is wanted; nothing is checked yet."""
    return LogQuery(
        offset_bytes=request.offset_bytes,
        tail_lines=request.tail_lines,
        follow=not request.no_follow,
        numbered=not request.raw,
    )
