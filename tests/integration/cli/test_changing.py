"""Commands that start again, mend, switch off and delete, against a real server."""

import json
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Gofer

pytestmark = pytest.mark.timeout(60)


def register(gofer: Gofer, name: str, script: str, folder: Path) -> None:
    """Register a pipeline of one task."""
    file = folder / f"{name}.py"
    file.write_text(
        "from gofer_sdk.pipeline import Pipeline, Task\n"
        f"pipeline = Pipeline(id={name!r}, tasks=[Task(id='only', image='i', script={script!r})])\n"
    )
    assert gofer("up", str(file)).status == 0


def test_a_run_is_started_again_by_its_own_or_the_live_version(gofer: Gofer, tmp_path: Path) -> None:
    register(gofer, "again", 'echo "one $WORD"', tmp_path)
    gofer("run", "start", "again", "--wait", "-v", "WORD=given")
    register(gofer, "again", 'echo "two $WORD"', tmp_path)

    new = gofer("run", "retry", "again", "1", "--wait")
    old = gofer("run", "retry", "again", "1", "--same-version", "--wait", "--format", "json")

    assert (new.status, old.status) == (0, 0)
    assert "started run 2 of again, as run 1 was, of version 2" in new.err
    assert gofer("taskrun", "logs", "again", "2", "only").out == "two given\n"
    assert (json.loads(old.out)["id"], json.loads(old.out)["version"]) == ("3", "1")
    assert gofer("taskrun", "logs", "again", "3", "only").out == "one given\n"
    assert gofer("run", "retry", "again", "99").status == 3


def test_a_version_and_a_log_are_deleted_where_nobody_needs_them(gofer: Gofer, tmp_path: Path) -> None:
    for word in ("one", "two", "three"):
        register(gofer, "pruned", f"echo {word}", tmp_path)
    gofer("run", "start", "pruned", "--wait")

    assert gofer("pipeline", "config", "delete", "pruned", "1").status == 2
    assert "deleted version 1 of pruned" in gofer("pipeline", "config", "delete", "pruned", "1", "--yes").err
    assert gofer("pipeline", "config", "delete", "pruned", "2", "--yes", "--format", "json").out == "{}\n"
    live = gofer("pipeline", "config", "delete", "pruned", "3", "--yes")
    assert (live.status, "the live one" in live.err) == (1, True)
    assert gofer("taskrun", "delete-logs", "pruned", "1", "only").status == 2
    assert "removed the log" in gofer("taskrun", "delete-logs", "pruned", "1", "only", "--yes").err
    assert json.loads(gofer("taskrun", "get", "pruned", "1", "only", "--format", "json").out)["logsRemoved"]
    gone = gofer("taskrun", "logs", "pruned", "1", "only")
    assert (gone.status, "were removed" in gone.err) == (1, True)


def test_a_pipeline_and_a_namespace_are_deleted_with_all_they_have(gofer: Gofer, tmp_path: Path) -> None:
    register(gofer, "doomed", "echo on; sleep 600", tmp_path)
    gofer("run", "start", "doomed")

    assert gofer("pipeline", "delete", "doomed").status == 2
    deleted = gofer("pipeline", "delete", "doomed", "--yes")
    assert (deleted.status, "deleted the pipeline doomed" in deleted.err) == (0, True)
    assert gofer("pipeline", "get", "doomed").status == 3
    assert gofer("pipeline", "delete", "doomed", "--yes").status == 3
    for style, expected in (("json", "{}\n"), ("silent", "")):
        register(gofer, "doomed", "true", tmp_path)
        assert gofer("pipeline", "delete", "doomed", "--yes", "--format", style).out == expected

    gofer("namespace", "create", "doomed_too", "Doomed")
    assert gofer("namespace", "delete", "doomed_too").status == 2
    assert gofer("namespace", "delete", "doomed_too", "--yes", "--format", "json").out == "{}\n"
    assert gofer("namespace", "get", "doomed_too").status == 3
    assert gofer("namespace", "delete", "default", "--yes").status == 1
    gofer("namespace", "create", "doomed_too", "Doomed")
    assert "is being deleted" in gofer("namespace", "delete", "doomed_too", "--yes", "--no-wait").err


def test_a_run_is_repaired_and_new_runs_are_refused_and_taken(gofer: Gofer, tmp_path: Path) -> None:
    register(gofer, "mended", "true", tmp_path)
    gofer("run", "start", "mended", "--wait")

    assert "run 1 of mended had ended: Successful" in gofer("service", "repair-orphan", "mended", "1").err
    assert gofer("service", "toggle-event-ingress").status == 2
    closed = gofer("service", "toggle-event-ingress", "--yes", "--format", "json")
    info, refused = gofer("service", "info"), gofer("run", "start", "mended")
    opened = gofer("service", "toggle-event-ingress", "--yes")

    assert json.loads(closed.out) == {"value": True}
    assert "New runs  refused" in info.out
    assert (refused.status, "toggle-event-ingress" in refused.err) == (1, True)
    assert "the server takes new runs" in opened.err
    assert "New runs  taken" in gofer("service", "info").out
    assert gofer("service", "toggle-event-ingress", "--yes", "--format", "silent").out == ""
    assert gofer("service", "toggle-event-ingress", "--yes").status == 0


def test_who_deletes_the_last_token_that_manages_the_server_is_warned(gofer: Gofer) -> None:
    def make() -> str:
        made = json.loads(gofer("service", "token", "create", "management", "--format", "json").out)
        return str(made["details"]["id"])

    first, second = make(), make()

    assert "no other token is left" not in gofer("service", "token", "disable", first).err
    gofer("service", "token", "enable", first)
    assert "no other token is left" not in gofer("service", "token", "delete", first, "--yes").err
    last = gofer("service", "token", "delete", second, "--yes")
    assert (last.status, "no other token is left" in last.err, "--dev-mode" in last.err) == (0, True, True)
