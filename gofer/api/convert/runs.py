"""Runs on the wire."""

from collections.abc import Mapping
from typing import Final

from gofer.api.convert.common import given_to_proto, initiator_of, initiator_to_proto, ms
from gofer.core.run import Reason, ReasonCode, Run, RunState, StopRequest, VariableSource
from gofer.services.runs import RetryRun, StartRun, Target
from gofer_sdk._proto import proto
from gofer_sdk.rules.timeouts import timeout_text

# One state of ours is a state and a status on the wire.
RUN_STATES: Final[Mapping[RunState, tuple[proto.RunRunState, proto.RunRunStatus]]] = {
    RunState.PENDING: (proto.RunRunState.PENDING, proto.RunRunStatus.RUN_STATUS_UNKNOWN),
    RunState.RUNNING: (proto.RunRunState.RUNNING, proto.RunRunStatus.RUN_STATUS_UNKNOWN),
    RunState.SUCCEEDED: (proto.RunRunState.COMPLETE, proto.RunRunStatus.SUCCESSFUL),
    RunState.FAILED: (proto.RunRunState.COMPLETE, proto.RunRunStatus.FAILED),
    RunState.CANCELLED: (proto.RunRunState.COMPLETE, proto.RunRunStatus.CANCELLED),
}

_Kind = proto.RunStatusReasonRunStatusReasonKind
# The nearest value that 0.6 knows; the exact code travels beside it.
RUN_REASONS: Final[Mapping[ReasonCode, proto.RunStatusReasonRunStatusReasonKind]] = {
    ReasonCode.ABNORMAL_EXIT: _Kind.ABNORMAL_EXIT,
    ReasonCode.LAUNCH_FAILED: _Kind.SCHEDULER_ERROR,
    ReasonCode.IMAGE_UNAVAILABLE: _Kind.SCHEDULER_ERROR,
    ReasonCode.REFERENCE_UNRESOLVED: _Kind.FAILED_PRECONDITION,
    ReasonCode.NOT_DUE_YET: _Kind.FAILED_PRECONDITION,
    ReasonCode.REQUIREMENT_UNMET: _Kind.FAILED_PRECONDITION,
    ReasonCode.CANCELLED: _Kind.USER_CANCELLED,
    ReasonCode.TASK_CANCELLED: _Kind.USER_CANCELLED,
    ReasonCode.TIMED_OUT: _Kind.ABNORMAL_EXIT,
    ReasonCode.ORPHANED: _Kind.SCHEDULER_ERROR,
    ReasonCode.INTERNAL_ERROR: _Kind.SCHEDULER_ERROR,
}


def start_run_of(request: proto.StartRunRequest) -> StartRun:
    """Read what a caller wants to be run; nothing is checked yet."""
    return StartRun(
        namespace=request.namespace_id,
        pipeline=request.pipeline_id,
        variables=request.variables,
        initiator=initiator_of(request.initiator),
        request_id=request.request_id,
        timeout=request.timeout,
    )


def retry_run_of(request: proto.RetryRunRequest) -> RetryRun:
    """Read which run a caller wants again; nothing is checked yet."""
    return RetryRun(
        target=Target(namespace=request.namespace_id, pipeline=request.pipeline_id, run=request.run_id),
        initiator=initiator_of(request.initiator),
        same_version=request.same_version,
        request_id=request.request_id,
    )


def run_to_proto(run: Run, *, engine: str = "") -> proto.Run:
    """Give a run; `engine` is the server's own, which the tasks of a run that waits would be given to."""
    state, status = RUN_STATES[run.state]
    return proto.Run(
        namespace=run.namespace,
        pipeline=run.pipeline,
        version=run.version,
        id=run.id,
        started=ms(run.created_at),
        ended=ms(run.ended_at),
        state=state,
        status=status,
        status_reason=_reason_to_proto(run.reason),
        initiator=initiator_to_proto(run.initiator),
        variables=given_to_proto(run.variables, VariableSource.RUN_OPTIONS),
        store_objects_expired=run.objects_expired,
        cancel_requested=ms(run.stop_request.at if run.stop_request else None),
        engine=run.engine or ("" if run.state.is_terminal else engine),
        admitted=ms(run.admitted_at),
        request_id=run.request_id,
        timeout=timeout_text(run.timeout),
    )


def run_row_key(run: Run) -> tuple[str | int | StopRequest | None, ...]:
    """Give what the message of a run depends on: all that a stored change does not show in the revision, too."""
    return (run.namespace, run.pipeline, run.id, run.revision, run.stop_request, run.objects_expired)


def _reason_to_proto(reason: Reason | None) -> proto.RunStatusReason:
    if reason is None:
        return proto.RunStatusReason()
    return proto.RunStatusReason(
        reason=RUN_REASONS[reason.code], description=reason.description, code=reason.code.value
    )
