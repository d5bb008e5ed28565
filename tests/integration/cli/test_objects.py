"""Objects by the command line, on a real server, and put by tasks themselves."""

import json
import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.integration.cli.conftest import ROOT, Gofer
from tests.integration.cli.test_secrets import Piped

EXAMPLES = ROOT / "examples"
EVERY_BYTE = bytes(range(256))
MIB = 1024 * 1024

pytestmark = pytest.mark.timeout(90)


def pipe(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", Piped(content))


@pytest.fixture
def example(gofer: Gofer) -> None:
    """The example, registered; a second time that changes nothing."""
    assert gofer("up", str(EXAMPLES / "objects")).status == 0


@pytest.mark.usefixtures("example")
def test_the_example_greets_as_its_object_says(gofer: Gofer, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe(monkeypatch, b"Good morning")
    put = gofer("pipeline", "object", "put", "objects", "greeting", "--force")
    run = gofer("run", "start", "objects", "--wait", "--format", "json")

    assert (put.status, put.out) == (0, "")
    assert "kept the object greeting (12 bytes)" in put.err
    assert run.status == 0, run.err
    log = gofer("taskrun", "logs", "objects", json.loads(run.out)["id"], "greet").out
    assert log == "Good morning, world!\nThe greeting has 12 characters.\n"
    assert 0 == gofer("pipeline", "object", "delete", "objects", "greeting", "--yes").status
    assert 1 == gofer("run", "start", "objects", "--wait").status


@pytest.mark.usefixtures("example")
def test_an_object_of_a_pipeline_is_put_got_listed_and_deleted_in_every_format(
    gofer: Gofer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file, target = tmp_path / "file", tmp_path / "target"
    file.write_bytes(EVERY_BYTE)
    pipe(monkeypatch, b"piped")

    piped = gofer("pipeline", "object", "put", "objects", "one")
    again = gofer("pipeline", "object", "put", "objects", "one", "--file", str(file))
    of_file = gofer("pipeline", "object", "put", "objects", "one", "--file", str(file), "--force", "--format", "json")
    as_in_0_6 = gofer("pipeline", "store", "put", "objects", f"two=@{file}")
    silent = gofer("pipeline", "store", "put", "objects", "three=a=b, text", "--format", "silent")

    assert piped.status == as_in_0_6.status == 0
    assert again.status == 1
    assert "replace it with --force" in again.err
    assert {"bytes": "256", "objectLimit": "50"} == json.loads(of_file.out)
    assert (0, "", "") == (silent.status, silent.out, silent.err)
    saved = gofer("pipeline", "object", "get", "objects", "one", "--file", str(target))
    assert (saved.status, saved.out) == (0, "")
    assert f"wrote the object one to {target} (256 bytes)" in saved.err
    assert EVERY_BYTE == target.read_bytes()
    assert "a=b, text" == gofer("pipeline", "store", "get", "objects", "three", "--stringify").out
    head, *pieces = map(
        json.loads, gofer("pipeline", "object", "get", "objects", "three", "--format", "json").out.splitlines()
    )
    assert ("three", "9") == (head["metadata"]["key"], head["metadata"]["bytes"])
    assert [{"content": "YT1iLCB0ZXh0"}] == pieces
    listed = gofer("pipeline", "object", "list", "objects").out.splitlines()
    assert [["Key", "Size", "Created"], ["two", "256", "bytes"]] == [listed[0].split(), listed[2].split()[:3]]
    keys = json.loads(gofer("pipeline", "object", "list", "objects", "--format", "json").out)["keys"]
    assert {("two", "256"), ("one", "256"), ("three", "9")} == {(each["key"], each["bytes"]) for each in keys}
    refused = gofer("pipeline", "object", "delete", "objects", "one")
    assert (refused.status, "add --yes" in refused.err) == (2, True)
    for key in ("one", "two", "three"):
        assert 0 == gofer("pipeline", "object", "delete", "objects", key, "--yes").status
    assert "objects has no objects" in gofer("pipeline", "object", "list", "objects").err
    assert 3 == gofer("pipeline", "object", "get", "objects", "one").status
    assert 3 == gofer("pipeline", "object", "delete", "objects", "one", "--yes").status


@pytest.mark.usefixtures("example")
def test_an_object_of_a_run_is_that_of_the_newest_where_none_is_named(gofer: Gofer) -> None:
    numbers = [json.loads(gofer("run", "start", "objects", "--format", "json").out)["id"] for _ in range(2)]
    older, newest = sorted(numbers, key=int)

    put = gofer("run", "object", "put", "objects", "result=of the newest")
    of_older = gofer("run", "store", "put", "objects", older, "result=of the older")

    assert f"kept the object result of run {newest} (13 bytes)" in put.err
    assert f"of run {older}" in of_older.err
    assert "of the newest" == gofer("run", "object", "get", "objects", "result").out
    assert "of the older" == gofer("run", "store", "get", "objects", older, "result").out
    assert f"those of run {newest}, the newest" in gofer("run", "object", "list", "objects").err
    listed = json.loads(gofer("run", "object", "list", "objects", older, "--format", "json").out)
    assert (older, ["result"]) == (listed["runId"], [each["key"] for each in listed["keys"]])
    assert 0 == gofer("run", "object", "delete", "objects", "result", "--yes").status
    assert f"run {newest} of objects has no objects" in gofer("run", "object", "list", "objects").err
    assert "of the older" == gofer("run", "object", "get", "objects", older, "result").out
    assert 2 == gofer("run", "object", "get", "objects", "first", "result").status


def test_a_task_puts_what_its_child_reads(gofer: Gofer, tmp_path: Path) -> None:
    """With the token that was made for it, and nothing else."""
    file = tmp_path / "build.py"
    gofer_here = f"cd {ROOT} && {sys.executable} -m gofer"
    file.write_text(
        "from gofer_sdk.pipeline import Pipeline, Task, run_object\n"
        f"put = 'printf %s built | ({gofer_here} run object put $GOFER_PIPELINE_ID $GOFER_RUN_ID result)'\n"
        "build = Task(id='build', image='i', script=put, inject_api_token=True)\n"
        "use = Task(id='use', image='i', script='echo it was $RESULT', depends_on=[build],\n"
        "           variables={'RESULT': run_object('result')})\n"
        "pipeline = Pipeline(id='putting', tasks=[build, use])\n"
    )
    assert gofer("up", str(file)).status == 0

    run = gofer("run", "start", "putting", "--wait")

    assert run.status == 0, gofer("taskrun", "logs", "putting", "1", "build").out
    assert "it was built\n" == gofer("taskrun", "logs", "putting", "1", "use").out


@pytest.mark.usefixtures("example")
def test_a_terminal_sees_how_far_it_is_and_nothing_that_plays_tricks(
    server: str, home: Path, gofer: Gofer, tmp_path: Path
) -> None:
    (tmp_path / "large").write_bytes(bytes(8 * MIB))
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "TERM": "xterm-256color", "GOFER_CLI_HOST": server}

    put = on_terminal(environment, "put", "objects", "bar", "--file", str(tmp_path / "large"), "--force")
    got = on_terminal(environment, "get", "objects", "bar", "--file", str(tmp_path / "got"))
    gofer("pipeline", "object", "put", "objects", "tricks=\x1b]0;title\x07\x1b[2Jshown", "--force")
    shown = on_terminal(environment, "get", "objects", "tricks")
    raw = on_terminal(environment, "get", "objects", "tricks", "--raw")

    assert "MiB" in put.partition("kept the object bar")[0]
    assert "MiB" in got.partition("wrote the object bar")[0]
    assert 8 * MIB == (tmp_path / "got").stat().st_size
    assert "shown" == shown
    assert "\x1b]0;title\x07\x1b[2Jshown" == raw


def on_terminal(environment: dict[str, str], *arguments: str) -> str:
    """Run a command about objects of pipelines on a terminal; all that the terminal got."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "gofer", "pipeline", "object", *arguments]
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    got = bytearray()
    reader = threading.Thread(target=read_all, args=(ours, got))
    reader.start()
    assert 0 == process.wait(), got
    reader.join()
    os.close(ours)
    return got.decode()


def read_all(descriptor: int, into: bytearray) -> None:
    try:
        while part := os.read(descriptor, 65536):
            into += part
    except OSError:
        pass  # how a terminal without a process on it ends
