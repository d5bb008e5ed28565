"""`gofer up` registers what has changed, and tells beforehand what would change."""

import json
from pathlib import Path

import pytest

from gofer_sdk.codec import encode
from gofer_sdk.pipeline import Pipeline, RegistryAuth, Task
from tests.integration.cli.conftest import Done, Gofer

pytestmark = pytest.mark.timeout(60)


class Author:
    """Writes a message into one file, and has it taken up."""

    def __init__(self, gofer: Gofer, folder: Path, name: str) -> None:
        self._gofer, self._file, self._name = gofer, folder / "pipeline.bin", name

    def up(self, *options: str, image: str = "i", password: str = "") -> Done:
        auth = RegistryAuth(user="me", password=password) if password else None
        task = Task(id="only", image=image, script="echo x", registry_auth=auth)
        self._file.write_bytes(encode(Pipeline(id=self._name, tasks=[task]).to_message()))
        return self._gofer("up", *options, str(self._file))

    def versions(self) -> dict[int, str]:
        listed = json.loads(self._gofer("pipeline", "config", "list", self._name, "--format", "json").out)
        return {int(each["version"]): each["state"] for each in listed["configs"]}


@pytest.fixture
def author(gofer: Gofer, tmp_path: Path, request: pytest.FixtureRequest) -> Author:
    return Author(gofer, tmp_path, f"p{abs(hash(request.node.name)) % 10**9}")


def test_what_has_not_changed_is_registered_once(author: Author) -> None:
    author.up()

    again = author.up()

    assert again.status == 0
    assert "has not changed: version 1 says the same, nothing was registered" in again.err
    assert "deployed" not in again.err
    assert "start a run" in again.err
    assert author.versions() == {1: "LIVE"}


def test_force_registers_and_deploys_all_the_same(author: Author) -> None:
    author.up()

    again = author.up("--force")

    assert "registered" in again.err
    assert author.versions() == {2: "LIVE", 1: "DEPRECATED"}


def test_what_is_registered_only_is_deployed_without_another_version(author: Author) -> None:
    author.up("--no-deploy")

    again = author.up()

    assert "nothing was registered" in again.err
    assert "deployed version 1: new runs use it" in again.err
    assert author.versions() == {1: "LIVE"}


def test_programs_are_told_which_of_the_two_happened(author: Author) -> None:
    told = [json.loads(author.up(*options, "--format", "json").out) for options in (["--no-deploy"], [], [])]

    assert [(each["registered"], each["deployed"]) for each in told] == [(True, False), (False, True), (False, False)]
    assert [each["config"]["version"] for each in told] == ["1", "1", "1"]


def test_a_plan_ends_with_10_and_changes_nothing(author: Author) -> None:
    first = author.up("--plan")
    author.up()

    second = author.up("--plan", image="other")

    assert first.status == second.status == 10
    assert '+ tasks.only.image: "i"' in first.out
    assert "version 1 would be registered, and deployed, the first one to be live" in first.err
    assert second.out == '~ tasks.only.image: "i" → "other"\n'
    assert "version 2 would be registered, and deployed in place of version 1" in second.err
    assert author.versions() == {1: "LIVE"}


def test_a_plan_without_changes_ends_with_0(author: Author) -> None:
    author.up()

    done = author.up("--plan")

    assert (done.status, done.out) == (0, "")
    assert "nothing would change: version 1 of" in done.err


def test_a_plan_tells_of_a_deployment_and_of_force(author: Author) -> None:
    author.up("--no-deploy")

    deploys, stays, forced = author.up("--plan"), author.up("--plan", "--no-deploy"), author.up("--plan", "--force")

    assert (deploys.status, stays.status, forced.status) == (10, 0, 10)
    assert "version 1, which says the same, would be deployed" in deploys.err
    assert "nothing would change" in stays.err
    assert "version 2 would be registered, and deployed" in forced.err


def test_a_plan_in_json_is_the_whole_of_it(author: Author) -> None:
    author.up()

    plan = json.loads(author.up("--plan", "--format", "json", image="other").out)

    assert (plan["liveVersion"], plan["version"], plan["registers"], plan["deploys"]) == (1, 2, True, True)
    assert plan["changes"] == [{"path": "tasks.only.image", "before": "i", "after": "other"}]


def test_a_plan_knows_of_another_password_and_shows_none(author: Author) -> None:
    author.up(password="hunter22")

    same, other = author.up("--plan", password="hunter22"), author.up("--plan", password="hunter23")

    assert (same.status, other.status) == (0, 10)
    assert other.out == "~ tasks.only.registry_auth.pass: another one, which is not shown\n"
    assert "hunter" not in other.out + other.err


def test_a_plan_of_what_would_be_refused_is_refused(gofer: Gofer, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text('{"id": "a-b", "tasks": [{"id": "one", "image": "i"}]}')

    done = gofer("up", "--plan", str(tmp_path / "bad.json"))

    assert done.status == 1
    assert "pipeline id 'a-b'" in done.err
