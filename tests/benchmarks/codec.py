"""How fast the codec is, beside the library's own on the same messages in the same run.

Usage: python -m tests.benchmarks.codec [--quick]
CPU microseconds a message, the two codecs in turn; the ratio is what to trust on a busy machine.
"""

import time
from collections.abc import Callable
from typing import TypeAlias

import betterproto2

from gofer_sdk._proto import proto
from gofer_sdk.codec import decode, encode
from tests.benchmarks._figures import Effort, Figure, run

Samples: TypeAlias = list[float]

ROUNDS = 9
SECONDS_PER_ROUND = 0.02


def run_message(number: int) -> proto.Run:
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


def pairs_of(ours: Callable[[], object], library: Callable[[], object], effort: Effort) -> tuple[Samples, Samples]:
    """Return the CPU microseconds of one call of each, measured in turn."""
    samples: tuple[Samples, Samples] = ([], [])
    for _ in effort.rounds(ROUNDS):
        for found, call in zip(samples, (ours, library), strict=True):
            calls, started = 0, time.process_time()
            while time.process_time() - started < SECONDS_PER_ROUND:
                call()
                calls += 1
            found.append((time.process_time() - started) / calls * 1e6)
    return samples


def figures_of(name: str, message: betterproto2.Message, effort: Effort) -> list[Figure]:
    """Return the figures of one message, both ways."""
    kind, data = type(message), encode(message)
    if data != bytes(message) or decode(kind, data) != message:
        raise AssertionError(f"{name}: the two codecs disagree")
    ways = (
        ("encode", pairs_of(lambda: encode(message), lambda: bytes(message), effort)),
        ("decode", pairs_of(lambda: decode(kind, data), lambda: kind.parse(data), effort)),
    )
    what = f"{name}, {len(data):,} bytes"
    return [
        Figure(what=f"{way} {what}", unit="µs", ours=ours, floor=library, floor_is="the library's own codec")
        for way, (ours, library) in ways
    ]


async def measure(effort: Effort) -> list[Figure]:
    """Measure small messages and large ones."""
    messages: dict[str, betterproto2.Message] = {
        "a request": proto.GetPipelineRequest(namespace_id="default", id="nightly"),
        "a log line": proto.GetTaskRunLogsResponse(log_line="a line that somebody might want to read", line_num=123),
        "a pipeline": pipeline(),
        "61 runs": proto.ListRunsResponse(runs=[run_message(n + 1) for n in range(61)]),
        "200 runs": proto.ListRunsResponse(runs=[run_message(n + 1) for n in range(200)]),
    }
    return [figure for name, message in messages.items() for figure in figures_of(name, message, effort)]


if __name__ == "__main__":
    run(measure)
