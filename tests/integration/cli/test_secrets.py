"""Secrets by the command line, on a real server; and everybody who must not see them, looking."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.cli.conftest import ROOT, Gofer

EXAMPLES = ROOT / "examples"
SECRET = "correct horse battery staple"
GLOBAL = "for-everybody-4711"

pytestmark = pytest.mark.timeout(90)


class Piped(io.TextIOWrapper):
    """What is piped into a command."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="utf-8")


def give(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setattr(sys, "stdin", Piped(value.encode()))


@pytest.fixture(scope="module")
def up() -> set[str]:
    """Which servers have the example already."""
    return set()


@pytest.fixture
def example(gofer: Gofer, server: str, up: set[str]) -> None:
    if server not in up:
        assert gofer("up", str(EXAMPLES / "secrets")).status == 0
        up.add(server)


@pytest.mark.usefixtures("example")
def test_a_secret_is_put_got_listed_and_deleted_in_every_format(gofer: Gofer, monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, f"{SECRET}\n")
    put = gofer("secret", "pipeline", "put", "secrets", "one")
    give(monkeypatch, "other")
    again = gofer("secret", "pipeline", "put", "secrets", "one")
    give(monkeypatch, "abc")
    replaced = gofer("secret", "pipeline", "put", "secrets", "two", "--format", "json")

    assert (put.status, put.out) == (0, "")
    assert f"kept the secret one ({len(SECRET)} bytes)" in put.err
    assert again.status == 1
    assert "replace it with --force" in again.err
    assert "will not be masked" in json.loads(replaced.out)["warning"]
    assert SECRET == gofer("secret", "pipeline", "get", "secrets", "one").out
    assert SECRET == json.loads(gofer("secret", "pipeline", "get", "secrets", "one", "--format", "json").out)["secret"]
    assert "" == gofer("secret", "pipeline", "get", "secrets", "one", "--format", "silent").out
    listed = gofer("secret", "pipeline", "list", "secrets")
    assert ["Key", "one", "two"] == [line.split()[0] for line in listed.out.splitlines()]
    keys = json.loads(gofer("secret", "pipeline", "list", "secrets", "--format", "json").out)["keys"]
    assert ["one", "two"] == [each["key"] for each in keys]
    assert all("secret" not in each and "content" not in each for each in keys)
    assert 0 == gofer("secret", "pipeline", "delete", "secrets", "one", "--yes").status
    assert 0 == gofer("secret", "pipeline", "delete", "secrets", "two", "--yes").status
    assert 3 == gofer("secret", "pipeline", "get", "secrets", "one").status
    assert 3 == gofer("secret", "pipeline", "delete", "secrets", "one", "--yes").status


def test_a_global_secret_says_who_may_use_it(gofer: Gofer, monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, GLOBAL)
    put = gofer("secret", "global", "put", "shared", "-n", "team_*,default")
    give(monkeypatch, GLOBAL)
    bad = gofer("secret", "global", "put", "other", "-n", "team-.*")

    assert put.status == 0, put.err
    assert bad.status == 1
    assert "glob" in bad.err
    assert GLOBAL == gofer("secret", "global", "get", "shared").out
    assert "team_*, default" in gofer("secret", "global", "list").out
    listed = json.loads(gofer("secret", "global", "list", "--format", "json").out)["keys"]
    assert ["team_*", "default"] == next(each["namespaces"] for each in listed if each["key"] == "shared")
    assert 0 == gofer("secret", "global", "delete", "shared", "--yes").status
    assert 3 == gofer("secret", "global", "get", "shared").status


@pytest.mark.usefixtures("example")
def test_a_value_never_has_to_be_on_a_command_line(
    gofer: Gofer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    as_in_0_6 = gofer("secret", "pipeline", "put", "secrets", f"k={SECRET}")
    insisting = gofer("secret", "pipeline", "put", "secrets", "k", "--value", "plain value")
    key = tmp_path / "key.pem"
    key.write_text("-----BEGIN-----\nabc\n-----END-----\n")
    of_file = gofer("secret", "pipeline", "put", "secrets", "k", "--file", str(key), "--force")
    got = gofer("secret", "pipeline", "get", "secrets", "k").out
    give(monkeypatch, key.read_text())
    piped = gofer("secret", "pipeline", "put", "secrets", "k", "--force")

    assert as_in_0_6.status == 2
    assert "pipe the value in" in as_in_0_6.err
    assert SECRET not in as_in_0_6.err
    assert insisting.status == 0
    assert "others on this machine could see the value" in insisting.err
    assert of_file.status == piped.status == 0
    assert key.read_text() == got == gofer("secret", "pipeline", "get", "secrets", "k").out
    assert 0 == gofer("secret", "pipeline", "delete", "secrets", "k", "--yes").status


def test_what_is_no_text_is_refused(gofer: Gofer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Piped(b"\xff\xfe"))

    refused = gofer("secret", "global", "put", "binary")

    assert refused.status == 2
    assert "base64" in refused.err


@pytest.mark.usefixtures("example")
def test_the_example_runs_and_nobody_sees_its_secrets(
    gofer: Gofer, server_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task prints them; its log, the server's log, the files, the events and the process list don't show them."""
    give(monkeypatch, SECRET)
    gofer("secret", "pipeline", "put", "secrets", "password", "--force")
    give(monkeypatch, GLOBAL)
    gofer("secret", "global", "put", "company_key", "--force")

    run = gofer("run", "start", "secrets", "--follow")
    processes = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=False).stdout
    shown = gofer("taskrun", "get", "secrets", "1", "login")
    events = gofer("event", "list", "--format", "json")
    log = gofer("taskrun", "logs", "secrets", "1", "login").out

    assert run.status == 0, run.err
    assert "logging in as gofer with ***\n" in log
    assert f"the password has {len(SECRET)} characters, and *** is for everybody" in log
    assert "pipeline_secret{{password}}" in shown.out
    for seen in (run.out, run.err, shown.out, events.out, log, processes):
        assert SECRET not in seen
        assert GLOBAL not in seen
    files = [Path(place) / name for place, _, names in os.walk(server_folder) for name in names]
    assert {"gofer-secret.db", "server.log"} <= {path.name for path in files}
    for path in files:
        content = path.read_bytes()
        assert SECRET.encode() not in content, path
        assert GLOBAL.encode() not in content, path


def test_rotating_the_key_tells_how_far_it_is(gofer: Gofer, monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, GLOBAL)
    gofer("secret", "global", "put", "rotated", "--force")

    done = gofer("service", "rotate-key")
    as_json = gofer("service", "rotate-key", "--format", "json")

    assert done.status == 0, done.err
    assert "everything is encrypted with the current key (0 changed)" in done.err
    last = json.loads(as_json.out.splitlines()[-1])
    assert last["done"] == last["total"] != "0"
    assert GLOBAL == gofer("secret", "global", "get", "rotated").out
