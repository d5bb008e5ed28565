"""A plan names every field that would change."""

import io
import json
import re

import pytest

from gofer.cli.output import Output
from gofer.cli.plans import Change, Plan, changes_between, show_plan
from gofer.config.client_flags import OutputFormat
from gofer_sdk._proto import proto

Status = proto.TaskRequiredParentStatus
HAND_KEPT = {"id", "image", "depends_on", "variables", "registry_auth"}
"""Fields of a task that have a way of their own into a plan, or, as its id, none."""


def variable(key: str, value: str) -> proto.Variable:
    return proto.Variable(key=key, value=value, source="PIPELINE_CONFIG")


def config(*tasks: proto.Task, **fields: str | int) -> proto.PipelineConfig:
    return proto.PipelineConfig(tasks={task.id: task for task in tasks}, **fields)  # type: ignore[arg-type]


def changes(old: proto.PipelineConfig | None, new: proto.PipelineConfig) -> list[tuple[str, object, object]]:
    return [(each.path, each.before, each.after) for each in changes_between(old, new)]


def test_equal_versions_have_no_changes() -> None:
    one = config(proto.Task(id="one", image="i", command=["a", "b"]), name="N")

    assert changes(one, one) == []


def test_fields_of_the_pipeline_come_first_then_task_by_task() -> None:
    old = config(proto.Task(id="one", image="i"), proto.Task(id="two", image="i"), name="Old", description="gone")
    new = config(
        proto.Task(id="three", image="i", command=["x"]), proto.Task(id="one", image="j"), name="New", parallelism=2
    )

    assert changes(old, new) == [
        ("name", "Old", "New"),
        ("parallelism", None, 2),
        ("description", "gone", None),
        ("tasks.one.image", "i", "j"),
        ("tasks.three.image", None, "i"),
        ("tasks.three.command", None, ["x"]),
        ("tasks.two.image", "i", None),
    ]


def test_parents_and_variables_are_told_one_by_one() -> None:
    old = config(
        proto.Task(
            id="one", image="i", depends_on={"p": Status.ANY}, variables=[variable("A", "1"), variable("B", "2")]
        )
    )
    new = config(
        proto.Task(
            id="one", image="i", depends_on={"p": Status.FAILURE}, variables=[variable("B", "2"), variable("C", "3")]
        )
    )

    assert changes(old, new) == [
        ("tasks.one.depends_on.p", "any", "failure"),
        ("tasks.one.variables.C", None, "3"),
        ("tasks.one.variables.A", "1", None),
    ]


def test_a_password_that_nobody_sees_is_told_where_the_server_says_so() -> None:
    auth = proto.RegistryAuth(user="me", pass_="***")
    one = config(proto.Task(id="one", image="i", registry_auth=auth))

    assert changes_between(one, one, changed_passwords=["one"]) == (
        Change(path="tasks.one.registry_auth.pass", before="***", after="***"),
    )


@pytest.mark.parametrize("name", sorted(set(proto.Task.__dataclass_fields__) - HAND_KEPT - {"_unknown_fields"}))
def test_no_field_of_a_task_is_forgotten(name: str) -> None:
    """A field that the wire gets one day belongs into plans, too."""
    old, new = proto.Task(id="one", image="i"), proto.Task(id="one", image="i")
    value = getattr(new, name)
    setattr(new, name, {str: "x", bool: True, int: 1, list: ["x"]}[type(value)])

    assert [path for path, _, _ in changes(config(old), config(new))] == [f"tasks.one.{name}"]


def plan(*found: Change, live: int = 3, registers: bool = True, deploys: bool = True) -> Plan:
    return Plan(pipeline="nightly", live=live, version=4, registers=registers, deploys=deploys, changes=found)


def shown(found: Plan, *, form: OutputFormat = OutputFormat.PRETTY, color: bool = False) -> tuple[str, str]:
    class Screen(io.StringIO):
        encoding = "utf-8"

        def isatty(self) -> bool:
            return color

    out, err = Screen(), Screen()
    show_plan(found, Output(format=form, stdout=out, stderr=err))
    return out.getvalue(), err.getvalue()


CHANGES = (
    Change(path="name", before="a", after="b\n"),
    Change(path="x", before=None, after=["é"]),
    Change(path="y", before=True, after=None),
    Change(path="z", before="***", after="***"),
)


def test_people_see_each_change_on_a_line() -> None:
    out, err = shown(plan(*CHANGES))

    assert out.splitlines() == [
        '~ name: "a" → "b\\n"',
        '+ x: ["é"]',
        "- y: true",
        "~ z: another one, which is not shown",
    ]
    assert err == "nightly: version 4 would be registered, and deployed in place of version 3\n"


def test_a_terminal_gets_a_colour_for_each_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")

    out, _ = shown(plan(*CHANGES), color=True)

    changed, added, removed = ("38;5;164", "~"), ("38;5;28", "+"), ("38;5;196", "-")
    assert re.findall(r"\x1b\[([\d;]+)m([~+-])", out) == [changed, added, removed, changed]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (plan(live=0), "version 4 would be registered, and deployed, the first one to be live"),
        (plan(deploys=False), "version 4 would be registered, and not deployed"),
        (plan(registers=False), "version 4, which says the same, would be deployed in place of version 3"),
        (plan(registers=False, deploys=False), "nothing would change: version 4 of nightly says the same"),
    ],
)
def test_what_would_be_done_is_said(found: Plan, expected: str) -> None:
    assert expected in shown(found)[1]


def test_programs_get_one_line_of_json() -> None:
    out, _ = shown(plan(CHANGES[0]), form=OutputFormat.JSON)

    assert json.loads(out) == {
        "pipeline": "nightly",
        "liveVersion": 3,
        "version": 4,
        "registers": True,
        "deploys": True,
        "changes": [{"path": "name", "before": "a", "after": "b\n"}],
    }
