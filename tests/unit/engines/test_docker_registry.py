"""What is said to and heard from a registry."""

import base64
import json

import pytest

from gofer.core.errors import FailedPrecondition, InvalidInput, NotFound
from gofer.engines.protocols import ImageSpec, PullProgress, RegistryCredentials
from gofer.engines.scheduler.docker_registry import PullReport, Reference, auth_header, error_in, pull_refused

HUB = "https://index.docker.io/v1/"
DIGEST = "sha256:" + "0" * 64
CREDENTIALS = RegistryCredentials(user="ada", password="lovelace")


@pytest.mark.parametrize(
    ("name", "repository", "version", "registry"),
    [
        ("alpine", "alpine", "latest", HUB),
        ("alpine:3.20", "alpine", "3.20", HUB),
        ("team/app:1", "team/app", "1", HUB),
        ("localhost/app", "localhost/app", "latest", "localhost"),
        ("127.0.0.1:5000/app", "127.0.0.1:5000/app", "latest", "127.0.0.1:5000"),
        ("ghcr.io/team/app:v1", "ghcr.io/team/app", "v1", "ghcr.io"),
        (f"ghcr.io/team/app@{DIGEST}", "ghcr.io/team/app", DIGEST, "ghcr.io"),
        (f"reg:5000/app:1@{DIGEST}", "reg:5000/app", DIGEST, "reg:5000"),
    ],
)
def test_a_name_is_taken_apart_as_docker_wants_it(name: str, repository: str, version: str, registry: str) -> None:
    assert Reference.parse(name) == Reference(repository=repository, version=version, registry=registry)


@pytest.mark.parametrize(
    "name", ["", "/", "a//b", "../containers", "a/../b", "a b", "a?all=1", "a#b", "a/", "a:", "a%2Fb", "ä", "-a", "a\n"]
)
def test_what_is_no_name_of_an_image_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="is no image"):
        Reference.parse(name)


def test_credentials_go_as_base64_of_json_that_suits_a_url() -> None:
    credentials = RegistryCredentials(user="ada", password='?>"ü~')

    header = auth_header(credentials, Reference.parse("127.0.0.1:5000/app"))

    assert not set(header) & set("+/")
    assert json.loads(base64.urlsafe_b64decode(header)) == {
        "username": "ada",
        "password": '?>"ü~',
        "serveraddress": "127.0.0.1:5000",
    }


@pytest.mark.parametrize(
    ("said", "credentials", "kind", "words"),
    [
        (
            "manifest for x:1 not found: manifest unknown: manifest unknown",
            None,
            NotFound,
            "there is no image reg/app:1",
        ),
        ("Get http://x/v2/: no basic auth credentials", None, FailedPrecondition, "asks for credentials"),
        ("unauthorized: authentication required", CREDENTIALS, FailedPrecondition, "credentials of the user 'ada'"),
        ("pull access denied for app, repository does not exist", None, FailedPrecondition, "gives it only to those"),
        ("dial tcp 127.0.0.1:1: connect: connection refused", None, FailedPrecondition, "can't be reached"),
        ("lookup reg on 10.0.0.1:53: no such host", None, FailedPrecondition, "can't be reached"),
        ("no matching manifest for linux/s390x", None, FailedPrecondition, "can't be pulled"),
    ],
)
def test_a_refused_pull_is_told_in_words(
    said: str, credentials: RegistryCredentials | None, kind: type[Exception], words: str
) -> None:
    error = pull_refused(ImageSpec(name="reg/app:1", credentials=credentials), f"Docker: {said}")

    assert type(error) is kind
    assert words in error.message
    assert said in error.message
    assert "lovelace" not in error.message


def test_the_layers_of_a_pull_are_added_up() -> None:
    report = PullReport("app")
    lines: list[dict[str, object]] = [
        {"status": "Pulling from app", "id": "1"},
        {"status": "Downloading", "id": "a", "progressDetail": {"current": 10, "total": 100}},
        {"status": "Downloading", "id": "b", "progressDetail": {"current": 5, "total": 50}},
        {"status": "Downloading", "id": "b", "progressDetail": {"current": 5, "total": 50}},
        {"status": "Download complete", "id": "a", "progressDetail": {}},
        {"status": "Pull complete", "id": "b", "progressDetail": {}},
    ]

    told = [report.add(line) for line in lines]

    assert [(each.current_bytes, each.total_bytes) if each else None for each in told] == [
        (0, 0),
        (10, 100),
        (15, 150),
        None,
        (105, 150),
        (150, 150),
    ]
    assert told[-1] == PullProgress(image="app", current_bytes=150, total_bytes=150, status="Pull complete")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ({"status": "Downloading"}, ""),
        ({"errorDetail": {"message": "no space"}, "error": "other"}, "no space"),
        ({"error": "no space"}, "no space"),
    ],
)
def test_errors_inside_a_report_are_seen(line: dict[str, object], error: str) -> None:
    assert error_in(line) == error
