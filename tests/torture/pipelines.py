"""What is run: graphs of tasks whose end, output and marks are known beforehand, for each engine in its own words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from gofer.core.secret import HIDDEN
from gofer_sdk._proto import proto

IMAGE: Final = "gofer-test/busybox:1"
SLOTS: Final = 6
"""How many containers the server may have at once."""
LONG: Final = 600.0
"""Seconds that no batch waits for."""
_Required = proto.UserPipelineTaskConfigRequiredParentStatus


class Engine(StrEnum):
    """The engines that are tortured."""

    MEMORY = "memory"
    PROCESS = "process"
    DOCKER = "docker"


EXPIRY_RUNS: Final = {Engine.MEMORY: 4, Engine.PROCESS: 4, Engine.DOCKER: 1_000_000}
"""How many newer runs take the place of a log; on Docker logs stay, as they bear witness to executions."""


class Needs(StrEnum):
    """What a task asks of a parent."""

    ANY = "ANY"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A task: what it waits for, what it writes, how long it takes, and how it ends by itself."""

    id: str
    after: Mapping[str, Needs] = field(default_factory=dict)
    code: int = 0
    seconds: float = 0.0
    lines: int = 20
    stubborn: bool = False  # ends by SIGKILL only
    refused: bool = False  # there is no such command
    timeout: float = 0.0  # how many seconds it may run; 0: as long as it likes
    tells: int = 0  # so many times it writes a secret, and nothing else

    def output(self, engine: Engine) -> bytes:
        """Give every byte of its log."""
        if self.tells:  # the memory engine's output is one variable, and a secret is all of one
            return f"{HIDDEN}\n".encode() * (1 if engine is Engine.MEMORY else self.tells)
        lines = []
        for number in range(self.lines):
            lines.append(f"line {number} of {self.id}, which is one of many and of some length\n")
            if number % 10 == 9:
                lines.append(f"error {number} of {self.id}\n")
        return "".join(lines).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A pipeline. `parallelism` and `timeout` 0 are none of its own; `weight` says how often it is chosen."""

    id: str
    tasks: tuple[Shape, ...]
    parallelism: int = 0
    weight: int = 2
    timeout: float = 0.0

    def task(self, name: str) -> Shape:
        """Give a task by its name."""
        return next(task for task in self.tasks if task.id == name)


GRAPHS: Final = (
    Graph(id="single", tasks=(Shape(id="only"),), weight=3),
    Graph(
        id="chain",
        tasks=(
            Shape(id="first", code=3),
            Shape(id="second", after={"first": Needs.ANY}, seconds=0.05),
            Shape(id="third", after={"second": Needs.SUCCESS}),
            Shape(id="never", after={"third": Needs.FAILURE}),
            Shape(id="last", after={"never": Needs.ANY}, code=7),
        ),
    ),
    Graph(
        id="fan",
        tasks=(
            Shape(id="root", seconds=0.05),
            Shape(id="fan_1", after={"root": Needs.SUCCESS}, seconds=0.1),
            Shape(id="fan_2", after={"root": Needs.SUCCESS}, code=1),
            Shape(id="fan_3", after={"root": Needs.ANY}, lines=400),
            Shape(id="join", after={"fan_1": Needs.SUCCESS, "fan_2": Needs.FAILURE, "fan_3": Needs.ANY}),
        ),
    ),
    Graph(
        id="queued",
        tasks=(Shape(id="slow", seconds=0.3), Shape(id="after", after={"slow": Needs.SUCCESS})),
        parallelism=2,
        weight=3,
    ),
    Graph(id="loud", tasks=(Shape(id="shout", lines=1_500, seconds=0.1),), weight=1),
    Graph(id="stubborn", tasks=(Shape(id="stays", seconds=1.2, stubborn=True),), weight=1),
    Graph(
        id="refused",
        tasks=(Shape(id="absent", refused=True), Shape(id="instead", after={"absent": Needs.FAILURE}, seconds=0.05)),
        weight=1,
    ),
    Graph(
        id="overlong",
        tasks=(
            Shape(id="endless", seconds=LONG, timeout=0.4),
            Shape(id="instead", after={"endless": Needs.FAILURE}, code=2, timeout=LONG),
            Shape(id="never", after={"endless": Needs.SUCCESS}),
        ),
    ),
    Graph(
        id="late",
        tasks=(
            Shape(id="quick"),
            Shape(id="endless", after={"quick": Needs.ANY}, seconds=LONG),
            Shape(id="unborn", after={"endless": Needs.ANY}),
        ),
        timeout=0.7,
    ),
    Graph(id="close", tasks=(Shape(id="close", seconds=0.3, timeout=0.3),), weight=1),
    Graph(id="visited", tasks=(Shape(id="host", seconds=1.5),)),
    Graph(
        id="telling",
        tasks=(
            Shape(id="tells", lines=0, tells=8),
            Shape(id="again", after={"tells": Needs.ANY}, lines=0, tells=1),
        ),
    ),
)
"""Those that are started at random."""

DOOMED: Final = Graph(
    id="doomed", tasks=(Shape(id="brief"), Shape(id="busy", after={"brief": Needs.ANY}, seconds=0.4, lines=200))
)
"""What is deleted while it runs; under many names, each of which is used once."""

ALL_SLOTS: Final = Graph(
    id="slots", tasks=tuple(Shape(id=f"slot_{number}", seconds=LONG, lines=1) for number in range(SLOTS))
)
"""As many tasks at once as the server has slots: they are all running at last only where none of them is stuck."""

SECRET: Final = "told"
"""The key of the secret that tasks write."""
TELLING: Final = "telling"
"""The pipeline that has it."""

_ON_THE_WIRE: Final = {Needs.ANY: _Required.ANY, Needs.SUCCESS: _Required.SUCCESS, Needs.FAILURE: _Required.FAILURE}
BY_NAME: Final = {graph.id: graph for graph in (*GRAPHS, ALL_SLOTS)}

_SCRIPT: Final = r"""
[ -z "$STUBBORN" ] || trap '' TERM
read -r uuid </proc/sys/kernel/random/uuid
mark() {
  MARK_COMMAND
}
mark begin
i=0
while [ $i -lt $LINES ]; do
  echo "line $i of $GOFER_TASK_ID, which is one of many and of some length"
  [ $((i % 10)) != 9 ] || echo "error $i of $GOFER_TASK_ID" >&2
  i=$((i+1))
done
i=0
while [ $i -lt "$TELLS" ]; do
  echo "$TOLD"
  sleep 0.05
  i=$((i+1))
done
[ "$PAUSE" = 0.0 ] || sleep $PAUSE
mark end
exit $CODE
"""
_REFERENCE: Final = f"pipeline_secret{{{{{SECRET}}}}}"
_TO_FILE: Final = 'echo "$GOFER_PIPELINE_ID $GOFER_RUN_ID $GOFER_TASK_ID $uuid $1" >>"$MARKS"'
_TO_LOG: Final = 'echo "mark $uuid $1"'  # a container shares no file with anybody; the daemon is asked, too


def config_of(graph: Graph, engine: Engine, marks: str, *, name: str = "") -> proto.UserPipelineConfig:
    """Give the pipeline as it is registered. `marks` is the file where tasks leave marks, if they can."""
    return proto.UserPipelineConfig(
        id=name or graph.id,
        name=graph.id,
        parallelism=graph.parallelism,
        run_timeout=_duration(graph.timeout),
        tasks=[_task(shape, engine, marks) for shape in graph.tasks],
    )


def _task(shape: Shape, engine: Engine, marks: str) -> proto.UserPipelineTaskConfig:
    return proto.UserPipelineTaskConfig(
        id=shape.id,
        image=IMAGE,
        command=_command(shape, engine),
        timeout=_duration(shape.timeout),
        variables=_for_memory(shape) if engine is Engine.MEMORY else _for_shell(shape, marks),
        depends_on={parent: _ON_THE_WIRE[needs] for parent, needs in shape.after.items()},
    )


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f}ms" if seconds else ""


def _command(shape: Shape, engine: Engine) -> list[str]:
    if shape.refused:
        return ["/there/is/no/such/command"]
    command = _TO_LOG if engine is Engine.DOCKER else _TO_FILE
    return ["/bin/sh", "-c", _SCRIPT.replace("MARK_COMMAND", command)]


def _for_shell(shape: Shape, marks: str) -> dict[str, str]:
    return {
        "MARKS": marks,
        "LINES": str(shape.lines),
        "PAUSE": str(shape.seconds),
        "CODE": str(shape.code),
        "STUBBORN": "yes" if shape.stubborn else "",
        "TELLS": str(shape.tells),
    } | ({"TOLD": _REFERENCE} if shape.tells else {})


def _for_memory(shape: Shape) -> dict[str, str]:
    script = {
        "GOFER_MEMORY_LOG": _REFERENCE if shape.tells else shape.output(Engine.MEMORY).decode(),
        "GOFER_MEMORY_SLEEP": f"{shape.seconds * 1000:.0f}ms",
        "GOFER_MEMORY_EXIT_CODE": str(shape.code),
        "GOFER_MEMORY_IGNORE_SIGTERM": "true" if shape.stubborn else "false",
    }
    return script | ({"GOFER_MEMORY_FAIL_START": "there is no such command"} if shape.refused else {})
