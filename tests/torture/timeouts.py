"""When a timeout may have ended a task or a run: not before its time, and not what a cancel had stopped before."""

from collections.abc import Iterator

from gofer_sdk._proto import proto
from tests.torture.pipelines import Graph, Shape

TIMED_OUT = "timed_out"


def limits_of(shape: Shape, graph: Graph, found: proto.TaskRun, run: proto.Run) -> list[int]:
    """Give the times when a task had to end, at the latest, each in milliseconds."""
    limits = []
    if shape.timeout and found.started:
        limits.append(found.started + round(shape.timeout * 1000))
    if graph.timeout:
        limits.append(run.admitted + round(graph.timeout * 1000))
    return limits


def faults_of_timeout(
    shape: Shape, graph: Graph, found: proto.TaskRun, run: proto.Run, *, cancelled_at: int
) -> Iterator[str]:
    """Say why a task can't have ended by a timeout as it has. `cancelled_at` is when a user wanted it to end, or 0."""
    limits = limits_of(shape, graph, found, run)
    status = found.status.name
    if not limits:
        yield f"{shape.id} timed out, and has no timeout: {found}"
        return
    if found.ended < min(limits):
        yield f"{shape.id} timed out {min(limits) - found.ended} ms before its time: {found}"
    if cancelled_at and cancelled_at < min(limits):
        yield f"{shape.id} timed out, and was cancelled {min(limits) - cancelled_at} ms before: {found}"
    if status == "CANCELLED" and (found.started or not graph.timeout):
        yield f"{shape.id} timed out while it ran, and ended {status}: {found}"
    if status not in {"CANCELLED", "FAILED"}:
        yield f"{shape.id} timed out, and ended {status}: {found}"


def may_have_ended_before(
    shape: Shape, graph: Graph, found: proto.TaskRun, run: proto.Run, *, cancelled_at: int
) -> bool:
    """Tell whether a task was cancelled when it had ended, and its timeout was what stopped it first.

    Its engine told late that it had ended in time: a timeout then stops nothing, and a later cancel finds no task. Both
    times may be of the same millisecond here.
    """
    limits = limits_of(shape, graph, found, run)
    return bool(limits and found.started) and found.ended <= min(limits) <= cancelled_at


def may_be_late(graph: Graph, run: proto.Run) -> bool:
    """Tell whether the run says that it took too long, and did."""
    why = run.status_reason.code if run.status_reason else ""
    return bool(graph.timeout) and why == TIMED_OUT and run.ended - run.admitted >= round(graph.timeout * 1000)
