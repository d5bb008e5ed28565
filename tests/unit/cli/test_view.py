"""What is printed of a run that is followed."""

import io
import json

from gofer.cli.endings import LogLines
from gofer.cli.output import Output
from gofer.cli.view import EventView, PlainView, view_for
from gofer.config.client_flags import OutputFormat
from gofer_sdk._proto import proto


def ended(name: str, **fields: object) -> proto.TaskRun:
    """Make a task run that has ended."""
    given: dict[str, object] = {"id": name, "exit_code": 999, "substate": "SUCCEEDED", **fields}
    return proto.TaskRun(**given)  # type: ignore[arg-type]


def test_logs_are_cut_into_whole_lines_with_their_task() -> None:
    lines = LogLines()
    lines.name("a")
    lines.name("long")

    assert lines.cut("a", b"one\ntw") == ["a    | one"]
    assert lines.cut("long", b"x\r\n") == ["long | x"]
    assert lines.cut("a", b"o\n\n") == ["a    | two", "a    | "]
    assert lines.rest("a") == []
    assert lines.cut("a", b"end") == []
    assert lines.rest("a") == ["a    | end"]
    assert lines.rest("a") == []


def test_logs_lose_what_a_terminal_must_not_see_and_keep_colours() -> None:
    assert LogLines().cut("a", b"\x1b[31mred\x1b[0m\x1b[2J\x07\xff\n") == ["a | \x1b[31mred\x1b[0m\ufffd"]


def test_a_line_without_end_is_shown_in_parts() -> None:
    lines = LogLines()

    parts = [part for _ in range(40) for part in lines.cut("a", b"x" * 10_000)] + lines.rest("a")

    assert sum(part.count("x") for part in parts) == 400_000
    assert max(map(len, parts)) < 100_000


async def test_lines_tell_what_becomes_of_each_task() -> None:
    stdout = io.StringIO()
    output = Output(stdout=stdout)

    async with view_for(output) as view:
        assert isinstance(view, PlainView)
        view.event(proto.Event(type="RUN_ADMITTED"))
        for task in ("build", "check"):
            view.task_waits(task)
        view.task_started("build", at=1)
        view.log("build", b"one\ntwo")
        view.task_ended(
            ended(
                "build",
                substate="FAILED",
                started=1000,
                ended=2500,
                exit_code_known=3,
                status_reason=proto.TaskRunStatusReason(description="it broke"),
            )
        )
        view.task_ended(ended("check", substate="SKIPPED"))

    assert stdout.getvalue().splitlines() == [
        "the run has begun",
        "build: started",
        "build | one",
        "build | two",
        "build: failed, exit code 3, 1.50s, it broke",
        "check: skipped",
        "",
    ]


async def test_of_an_old_run_only_its_tasks_are_news() -> None:
    stdout = io.StringIO()

    async with view_for(Output(stdout=stdout), is_old=True) as view:
        view.event(proto.Event(type="RUN_ADMITTED"))
        view.event(proto.Event(type="RUN_CANCEL_REQUESTED"))
        view.task_started("build", at=1)

    assert stdout.getvalue() == "build: started\n\n"


async def test_programs_get_the_events() -> None:
    stdout = io.StringIO()
    output = Output(format=OutputFormat.JSON, stdout=stdout)

    async with view_for(output) as view:
        assert isinstance(view, EventView)
        view.event(proto.Event(id=3, type="RUN_ADMITTED"))
        view.task_waits("a")
        view.task_started("a", at=1)
        view.log("a", b"x\n")
        view.task_ended(ended("a"))

    assert json.loads(stdout.getvalue()) == {"id": "3", "type": "RUN_ADMITTED"}
