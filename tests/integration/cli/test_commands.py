"""Every command of the command line against a real server."""

import base64
import json
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Done, Gofer

EXAMPLES = Path(__file__).parents[3] / "examples"

pytestmark = pytest.mark.timeout(60)


def rows(done: Done) -> list[list[str]]:
    """Return the table that was printed, without its headers."""
    assert done.status == 0, done.err
    return [[part.strip() for part in line.split("  ") if part.strip()] for line in done.out.splitlines()[1:]]


def register(gofer: Gofer, name: str, script: str, folder: Path) -> None:
    """Register a pipeline of one task."""
    file = folder / f"{name}.py"
    file.write_text(
        "from gofer_sdk.pipeline import Pipeline, Task\n"
        f"pipeline = Pipeline(id={name!r}, tasks=[Task(id='only', image='i', script={script!r})])\n"
    )
    assert gofer("up", str(file)).status == 0


def test_up_registers_and_deploys_and_the_run_is_followed_to_its_end(gofer: Gofer) -> None:
    up = gofer("up", str(EXAMPLES / "hello"))
    run = gofer("run", "start", "hello", "--follow")

    assert up.status == 0
    assert "registered hello (Hello), version 1" in up.err
    assert "deployed version 1" in up.err
    assert up.out == ""
    assert run.status == 0
    lines = run.out.splitlines()
    assert lines[:5] == [
        "the run has begun",
        "greet: started",
        "greet | Hello from Gofer!",
        "greet | I am run 1 of the pipeline hello.",
        "",
    ] or lines[4].startswith("greet: successful")
    assert "✓ greet" in run.out
    assert "started run 1 of hello" in run.err
    assert "without isolation" in run.err


def test_a_run_that_fails_ends_its_follower_with_1_and_is_drawn(gofer: Gofer) -> None:
    gofer("up", str(EXAMPLES / "dag"))
    run = gofer("run", "start", "dag", "--wait")
    shown = gofer("run", "get", "dag", "1")

    assert run.status == 1
    assert shown.status == 0
    for line in ("╰─✓ document", "├─✗ check", "│ ├─✓ clean_up", "│ ╰─│─⊘ publish", "│   ╰─┴─✓ report"):
        assert line in run.out
        assert line in shown.out
    assert "check    the container exited with 3" in shown.out


def test_a_follower_is_told_what_ended_before_what_began_after_it(gofer: Gofer) -> None:
    gofer("up", str(EXAMPLES / "dag"))

    lines = gofer("run", "start", "dag", "--follow").out.splitlines()

    def place(start: str) -> int:
        return next(number for number, line in enumerate(lines) if line.startswith(start))

    for parent, child in (("build", "check"), ("build", "document"), ("check", "clean_up"), ("clean_up", "report")):
        assert place(f"{parent}: ") < place(f"{child}: started"), lines
    assert place("build    | built the thing") < place("build: successful")
    assert place("check: failed") < place("publish: skipped") < place("report: started")


def test_variables_of_one_run_are_given_and_shown(gofer: Gofer) -> None:
    gofer("up", str(EXAMPLES / "script"))

    run = gofer("pipeline", "run", "script", "--follow", "-v", "LIMIT=2", "-v", "GREETING=a, b=c")

    assert run.status == 0
    assert "count | a, b=c" in run.out
    assert "count | number 2" in run.out
    assert "number 3" not in run.out
    assert "Variables  GREETING=a, b=c, LIMIT=2" in run.out


def test_lists_and_details_of_pipelines(gofer: Gofer, tmp_path: Path) -> None:
    register(gofer, "listed", "echo one", tmp_path)
    register(gofer, "listed", "echo two", tmp_path)
    gofer("run", "start", "listed", "--wait")

    assert ["listed", "Active", "Good", "now", "now"] in [
        [*row[:3], "now", "now"] for row in rows(gofer("pipeline", "list", "--limit", "100"))
    ]
    assert [row[:3] for row in rows(gofer("pipeline", "config", "list", "listed"))] == [
        ["2", "Live", "1"],
        ["1", "Deprecated", "1"],
    ]
    assert "2 (Live)" in gofer("pipeline", "get", "listed").out
    assert "1 (Deprecated)" in gofer("pipeline", "config", "get", "listed", "1").out
    assert gofer("pipeline", "deploy", "listed", "1").status == 0
    assert "1 (Live)" in gofer("pipeline", "get", "listed").out
    deployments = rows(gofer("pipeline", "deployment", "list", "listed"))
    assert [row[0] for row in deployments] == ["3", "2", "1"]
    assert [row[1] for row in deployments] == ["2 to 1", "1 to 2", "1"]
    assert deployments[0][2] == "Successful"
    assert "2 to 1" in gofer("pipeline", "deployment", "get", "listed", "3").out


def test_a_disabled_pipeline_starts_nothing_until_it_is_enabled(gofer: Gofer, tmp_path: Path) -> None:
    register(gofer, "switched", "echo on", tmp_path)

    assert gofer("pipeline", "disable", "switched").status == 2
    assert gofer("pipeline", "disable", "switched", "--yes").status == 0
    refused = gofer("run", "start", "switched")
    assert gofer("pipeline", "enable", "switched").status == 0
    started = gofer("run", "start", "switched", "--wait")

    assert refused.status == 1
    assert "disabled" in refused.err
    assert started.status == 0


def test_a_run_and_a_task_are_cancelled_and_waited_for(gofer: Gofer, tmp_path: Path) -> None:
    register(gofer, "endless", "echo begun; sleep 600", tmp_path)
    gofer("run", "start", "endless")
    gofer("run", "start", "endless")
    gofer("run", "start", "endless")

    first = gofer("run", "cancel", "endless", "1", "--wait", "--force")
    task = gofer("taskrun", "cancel", "endless", "2", "only", "--wait", "--force")
    rest = gofer("run", "cancel-all", "endless", "--force", "--wait")

    assert "has ended: Cancelled" in first.err
    assert "has ended: Cancelled" in task.err
    assert rest.out.split()[-1] == "3"
    assert {row[1] for row in rows(gofer("run", "list", "endless"))} == {"Cancelled"}
    # A run that somebody stopped says nothing about the pipeline.
    assert "Health       Good" in gofer("pipeline", "get", "endless").out


def test_what_had_ended_is_not_said_to_be_cancelled(gofer: Gofer, tmp_path: Path) -> None:
    register(gofer, "over", "echo x", tmp_path)
    gofer("run", "start", "over", "--wait")

    run = gofer("run", "cancel", "over", "1")
    task = gofer("taskrun", "cancel", "over", "1", "only", "--wait")

    assert (run.status, task.status) == (0, 0)
    assert run.err.endswith("run 1 of over had ended: Successful\n")
    assert task.err.endswith("task run only of run 1 had ended: Successful\n")


def test_health_is_about_the_last_runs_that_ended_by_themselves(gofer: Gofer, tmp_path: Path) -> None:
    register(gofer, "ailing", 'exit "$CODE"', tmp_path)

    def health_after(code: str) -> str:
        gofer("run", "start", "ailing", "--wait", "-v", f"CODE={code}")
        (row,) = (row for row in rows(gofer("pipeline", "list", "--limit", "100")) if row[0] == "ailing")
        return row[2]

    assert [health_after(code) for code in "101"] == ["Poor", "Unstable", "Unstable"]


def test_the_log_of_a_task_is_exact(gofer: Gofer, tmp_path: Path) -> None:
    register(gofer, "logged", r"printf 'one\ntwo\n\033[31mthree'", tmp_path)
    gofer("run", "start", "logged", "--wait")

    assert gofer("taskrun", "logs", "logged", "1", "only").out == "one\ntwo\n\x1b[31mthree"
    assert gofer("taskrun", "logs", "logged", "1", "only", "--tail", "2").out == "two\n\x1b[31mthree"
    assert gofer("taskrun", "logs", "logged", "1", "only", "--follow").out == "one\ntwo\n\x1b[31mthree"
    assert gofer("taskrun", "logs", "logged", "1", "only", "--format", "silent").out == ""
    chunks = [
        json.loads(line)
        for line in gofer("taskrun", "logs", "logged", "1", "only", "--format", "json").out.splitlines()
    ]
    assert b"".join(base64.b64decode(chunk["chunk"]) for chunk in chunks) == b"one\ntwo\n\x1b[31mthree"


def test_a_task_run_is_shown_with_its_environment(gofer: Gofer, tmp_path: Path) -> None:
    register(gofer, "shown", "exit 7", tmp_path)
    gofer("run", "start", "shown", "--wait", "-v", "B=given")

    assert rows(gofer("taskrun", "list", "shown", "1"))[0][0] == "✗ only"
    text = gofer("taskrun", "get", "shown", "1", "only").out
    assert "Exit code  7" in text
    assert ["B", "given", "Run Options"] in [line.split(maxsplit=2) for line in text.splitlines()]


def test_namespaces_are_made_changed_and_chosen(gofer: Gofer, home: Path) -> None:
    assert gofer("namespace", "create", "team_a", "Team A", "-d", "ours").status == 0
    assert gofer("namespace", "create", "team_a", "Again").status == 1
    assert gofer("namespace", "update", "team_a", "--name", "Team Ä").status == 0
    shown = gofer("namespace", "get", "team_a", "--detail").out
    assert "Name         Team Ä" in shown
    assert "Description  ours" in shown
    assert [row[0] for row in rows(gofer("namespace", "list"))] == ["default", "team_a"]
    assert gofer("namespace", "set", "team_a").status == 0
    assert (home / ".gofer.hcl").read_text() == 'namespace = "team_a"\n'
    assert "no pipelines here yet" in gofer("pipeline", "list").err
    assert gofer("pipeline", "list", "--namespace", "default").out != ""


def test_events_are_listed_filtered_and_shown(gofer: Gofer, tmp_path: Path) -> None:
    register(gofer, "eventful", "echo x", tmp_path)
    gofer("run", "start", "eventful", "--wait")

    oldest = gofer("event", "list", "--limit", "1").out
    newest = gofer("event", "list", "--reverse", "--limit", "1", "--format", "json")
    kinds = gofer("event", "list", "--kind", "RUN_COMPLETED", "--format", "json").out.splitlines()
    event = json.loads(newest.out)
    shown = gofer("event", "get", event["id"])

    assert oldest.startswith("[1] ")
    assert event["type"] == "RUN_COMPLETED"
    assert {json.loads(line)["type"] for line in kinds} == {"RUN_COMPLETED"}
    assert "Kind            RUN_COMPLETED" in shown.out
    assert "eventful" in shown.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "get", "nothing", "1"),
        ("run", "start", "nothing"),
        ("pipeline", "get", "nothing"),
        ("pipeline", "deploy", "nothing", "1"),
        ("taskrun", "logs", "nothing", "1", "only"),
        ("namespace", "get", "nothing"),
        ("event", "get", "999999999"),
        ("pipeline", "list", "--namespace", "nothing"),
        ("pipeline", "config", "list", "nothing"),
        ("pipeline", "deployment", "list", "nothing"),
        ("run", "list", "nothing"),
        ("run", "list", "nothing", "--format", "json"),
        ("run", "cancel-all", "nothing"),
        ("taskrun", "list", "nothing", "1"),
    ],
)
def test_what_is_not_there_ends_with_3_and_one_line(gofer: Gofer, arguments: tuple[str, ...]) -> None:
    done = gofer(*arguments)

    assert done.status == 3
    assert done.out == ""
    assert [line[:2] for line in done.err.splitlines() if not line.startswith("!")] == ["x "]


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (("run", "list", "printed"), "runs"),
        (("run", "get", "printed", "1"), "status"),
        (("pipeline", "list"), "pipelines"),
        (("pipeline", "get", "printed"), "config"),
        (("pipeline", "config", "list", "printed"), "configs"),
        (("pipeline", "config", "get", "printed", "1"), "tasks"),
        (("pipeline", "deployment", "list", "printed"), "Deployments"),
        (("pipeline", "deployment", "get", "printed", "1"), "endVersion"),
        (("taskrun", "list", "printed", "1"), "taskRuns"),
        (("taskrun", "get", "printed", "1", "only"), "task"),
        (("namespace", "list"), "namespaces"),
        (("namespace", "get", "default"), "name"),
        (("service", "info"), "semver"),
        (("run", "start", "printed", "--wait"), "initiator"),
        (("run", "cancel-all", "printed"), None),
        (("run", "cancel", "printed", "1"), "status"),
        (("taskrun", "cancel", "printed", "1", "only"), "status"),
        (("pipeline", "disable", "printed", "--yes"), None),
        (("pipeline", "enable", "printed"), None),
        (("namespace", "set", "default"), "id"),
    ],
)
def test_programs_get_one_message(gofer: Gofer, tmp_path: Path, arguments: tuple[str, ...], key: str | None) -> None:
    register(gofer, "printed", "echo x", tmp_path)
    gofer("pipeline", "enable", "printed")
    gofer("run", "start", "printed", "--wait")

    done = gofer(*arguments, "--format", "json")

    assert done.status == 0
    (line,) = done.out.splitlines()
    message = json.loads(line)
    assert message == {} if key is None else key in message


def test_followers_that_are_programs_get_events_and_then_the_run(gofer: Gofer, tmp_path: Path) -> None:
    register(gofer, "streamed", "echo x", tmp_path)

    lines = [
        json.loads(line) for line in gofer("run", "start", "streamed", "--follow", "--format", "json").out.splitlines()
    ]

    assert lines[0]["type"] == "RUN_STARTED"
    assert lines[-2]["type"] == "RUN_COMPLETED"
    assert lines[-1]["status"] == "SUCCESSFUL"


def test_an_old_run_is_followed_from_its_beginning(gofer: Gofer, tmp_path: Path) -> None:
    register(gofer, "old", "echo text", tmp_path)
    gofer("run", "start", "old", "--wait")

    again = gofer("run", "follow", "old", "1")

    assert again.status == 0
    assert again.out.startswith("only: started\nonly | text\nonly: successful")
    assert again.err.startswith("run 1 of old ended ")


def test_a_pipeline_without_a_live_version_is_told_how_to_get_one(gofer: Gofer, tmp_path: Path) -> None:
    file = tmp_path / "asleep.py"
    file.write_text(
        "from gofer_sdk.pipeline import Pipeline, Task\n"
        "pipeline = Pipeline(id='asleep', tasks=[Task(id='only', image='i', script='echo x')])\n"
    )
    gofer("up", str(file), "--no-deploy")

    shown = gofer("pipeline", "get", "asleep")
    deployments = gofer("pipeline", "deployment", "list", "asleep")
    runs = gofer("run", "list", "asleep")

    assert shown.status == 3
    assert "gofer pipeline deploy asleep VERSION" in shown.err
    assert (deployments.status, deployments.out) == (0, "")
    assert "no version of asleep was deployed yet" in deployments.err
    assert (runs.status, runs.out) == (0, "")
    assert "asleep has not run yet" in runs.err


def test_the_server_tells_about_itself(gofer: Gofer) -> None:
    done = gofer("service", "info")

    assert "Engine    process" in done.out
    assert "development" in done.out
