"""How fast the codec is, beside the library's own on the same messages in the same run.

Usage: python -m tests.benchmarks.codec
Prints CPU microseconds a message (best of several rounds, the two codecs in turn) and the ratio, which is what to trust
on a busy machine.
"""

import sys
import time
from collections.abc import Callable

import betterproto2

from gofer_sdk._proto import proto
from gofer_sdk.codec import decode, encode

ROUNDS = 9
SECONDS_PER_ROUND = 0.02


def run(number: int) -> proto.Run:
    """Return a run as lists are full of."""
    return proto.Run(
        namespace="default",
        pipeline="nightly",
        version=1,
        id=number,
        started=1_763_000_000_000 + number,
        ended=1_763_000_003_000 + number,
        state=proto.RunRunState.COMPLETE,
        status=proto.RunRunStatus.SUCCESSFUL,
        status_reason=proto.RunStatusReason(),
        initiator=proto.Initiator(type=proto.InitiatorType.HUMAN, name="bench", reason="measured"),
        engine="docker",
        admitted=1_763_000_000_010 + number,
    )


def pipeline() -> proto.GetPipelineResponse:
    """Return about 1 KB: four tasks with variables and dependencies."""
    tasks = {
        f"task_{n}": proto.Task(
            id=f"task_{n}",
            description="one step of a pipeline that somebody wrote",
            image="docker.io/library/busybox:1.36",
            depends_on={f"task_{n - 1}": proto.TaskRequiredParentStatus.SUCCESS} if n else {},
            variables=[proto.Variable(key=f"KEY_{i}", value=f"value {i}", source="PIPELINE_CONFIG") for i in range(2)],
            command=["sh", "-c", "echo a line to be logged"],
        )
        for n in range(4)
    }
    config = proto.PipelineConfig(
        namespace="default", pipeline="nightly", version=3, tasks=tasks, registered=1_763_000_000_000
    )
    return proto.GetPipelineResponse(
        pipeline=proto.Pipeline(metadata=proto.PipelineMetadata(namespace="default", id="nightly"), config=config)
    )


def best_of_both(ours: Callable[[], object], library: Callable[[], object]) -> tuple[float, float]:
    """Return the CPU microseconds of one call of each, measured in turn."""
    best = [float("inf"), float("inf")]
    for _ in range(ROUNDS):
        for which, call in enumerate((ours, library)):
            calls, started = 0, time.process_time()
            while time.process_time() - started < SECONDS_PER_ROUND:
                call()
                calls += 1
            best[which] = min(best[which], (time.process_time() - started) / calls * 1e6)
    return best[0], best[1]


def figures(name: str, message: betterproto2.Message) -> str:
    """Return one line of the table."""
    kind, data = type(message), encode(message)
    if data != bytes(message) or decode(kind, data) != message:
        raise AssertionError(f"{name}: the two codecs disagree")
    out, library_out = best_of_both(lambda: encode(message), lambda: bytes(message))
    into, library_into = best_of_both(lambda: decode(kind, data), lambda: kind.parse(data))
    return (
        f"{name:20} {len(data):6}  {out:9.1f} {library_out:9.1f} {library_out / out:6.1f}x"
        f"  {into:9.1f} {library_into:9.1f} {library_into / into:6.1f}x"
    )


def main() -> int:
    """Print the table; return the exit status."""
    messages: dict[str, betterproto2.Message] = {
        "GetPipeline request": proto.GetPipelineRequest(namespace_id="default", id="nightly"),
        "log line": proto.GetTaskRunLogsResponse(log_line="a line that somebody might want to read", line_num=123_456),
        "pipeline": pipeline(),
        "61 runs": proto.ListRunsResponse(runs=[run(n + 1) for n in range(61)]),
        "200 runs": proto.ListRunsResponse(runs=[run(n + 1) for n in range(200)]),
    }
    head = f"{'message':20} {'bytes':>6}  {'encode':>9} {'library':>9} {'':7}  {'decode':>9} {'library':>9}"
    sys.stdout.write("\n".join([head, *(figures(name, message) for name, message in messages.items()), ""]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
