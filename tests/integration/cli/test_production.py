"""The command line against a server as it runs in production: own certificates, own key, and tokens."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gofer.config.sample import MARK
from gofer.tls import make_certificate
from gofer_sdk._proto import proto

PROGRAM = [sys.executable, "-m", "gofer"]
HOST = "127.0.0.2"  # this machine, but the one name of it whose certificate clients check

pytestmark = pytest.mark.timeout(120)


@dataclass(frozen=True, kw_only=True)
class Production:
    """A server and a shell that knows its address and whom to trust, but no token."""

    address: str
    environment: dict[str, str]

    def gofer(self, *arguments: str, token: str = "", stdin: str = "") -> "subprocess.CompletedProcess[str]":
        own = {"GOFER_CLI_TOKEN": token} if token else {}
        return subprocess.run(
            [*PROGRAM, *arguments],
            env=self.environment | own,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    def done(self, *arguments: str, token: str = "", stdin: str = "") -> str:
        """Run a command that must succeed, and give what it printed."""
        ended = self.gofer(*arguments, token=token, stdin=stdin)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout


def files(folder: Path) -> Path:
    """Write what an administrator writes, filling in what is marked, and give the configuration."""
    made = make_certificate((HOST,), now=datetime.now(UTC))
    key = made.index(b"-----BEGIN PRIVATE KEY")
    (folder / "cert.pem").write_bytes(made[:key])
    (folder / "key.pem").write_bytes(made[key:])
    config = folder / "gofer.hcl"
    subprocess.run([*PROGRAM, "service", "init-config", "--filepath", str(config)], check=True, capture_output=True)
    text = config.read_text().replace("/var/lib/gofer", f"{folder}/data")
    for name, value in {
        "tls_cert_path": f"{folder}/cert.pem",
        "tls_key_path": f"{folder}/key.pem",
        "encryption_key": "0123456789abcdef0123456789abcdef",
    }.items():
        text, count = re.subn(rf'{name} = ""  {re.escape(MARK)}', f'{name} = "{value}"  # given', text)
        assert count == 1
    assert MARK not in text
    config.write_text(text)
    return config


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    folder = tmp_path_factory.mktemp("production")
    environment = {"HOME": str(folder), "PATH": os.environ["PATH"]}
    own = {"GOFER_SERVER__HOST": f"{HOST}:0", "GOFER_SERVER__ADDRESS": f"{HOST}:0", "GOFER_SCHEDULER__ENGINE": "memory"}
    with subprocess.Popen(
        [*PROGRAM, "service", "start", "--config", str(files(folder))],
        env=environment | own,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said: list[str] = []
        address = None
        while address is None and (line := process.stderr.readline()):
            said.append(line)
            address = re.search(r'"address":\s*"([^"]+)".*"listening"|"listening".*"address":\s*"([^"]+)"', line)
        assert address is not None, "".join(said)
        found = address[1] or address[2]
        cli = {"GOFER_CLI_HOST": found, "GOFER_CLI_TLS_CA": str(folder / "cert.pem")}
        try:
            yield Production(address=found, environment=environment | cli)
        finally:
            process.terminate()
            process.communicate(timeout=40)


@pytest.fixture(scope="module")
def management(production: Production) -> str:
    """The first token, which is all that the command prints."""
    return production.done("service", "token", "bootstrap").strip()


@pytest.fixture
def made(production: Production, management: str) -> Callable[..., proto.CreateTokenResponse]:
    """Make a token, and give what the server says of it."""

    def make(*arguments: str) -> proto.CreateTokenResponse:
        printed = production.done("service", "token", "create", *arguments, "--format", "json", token=management)
        return proto.CreateTokenResponse.from_json(printed)

    return make


def test_nothing_is_open_without_a_token_but_what_the_server_is(production: Production, management: str) -> None:
    refused = production.gofer("namespace", "list")

    assert "production" in production.done("service", "info")
    assert refused.returncode == 4
    assert "a token is missing" in refused.stderr
    assert refused.stdout == ""
    assert "default" in production.done("namespace", "list", token=management)


def test_the_first_token_is_given_out_once(production: Production, management: str) -> None:
    again = production.gofer("service", "tokens", "bootstrap")

    assert re.fullmatch("[0-9a-f]{64}", management)
    assert again.returncode == 1
    assert "once only" in again.stderr


def test_a_server_whose_certificate_is_not_trusted_gets_no_token(production: Production, management: str) -> None:
    trusting = {name: value for name, value in production.environment.items() if name != "GOFER_CLI_TLS_CA"}
    stranger = Production(address=production.address, environment=trusting)

    refused = stranger.gofer("namespace", "list", token=management)

    assert refused.returncode == 5
    assert "give the authority that issued it" in refused.stderr


def test_a_token_says_what_it_is(production: Production, management: str) -> None:
    shown = production.done("service", "token", "whoami", token=management)

    assert re.search(r"Kind\s+Management", shown)
    assert re.search(r"State\s+active", shown)
    assert re.search(r"Namespaces\s+all", shown)
    assert management not in shown


def test_management_makes_management(made: Callable[..., proto.CreateTokenResponse]) -> None:
    details = made("management").details

    assert details is not None
    assert proto.TokenKind.MANAGEMENT == details.kind


def test_a_client_does_what_its_namespaces_allow(
    production: Production, management: str, made: Callable[..., proto.CreateTokenResponse]
) -> None:
    for name in ("team_a", "team_b"):
        production.done("namespace", "create", name, name, token=management)
    client = made("client", "-n", "team_a,default", "-m", "owner:anna", "--expiry", "2h")

    refused = production.gofer("pipeline", "list", "--namespace", "team_b", token=client.token)
    managing = production.gofer("namespace", "create", "team_c", "C", token=client.token)

    assert client.details is not None
    assert {"owner": "anna"} == client.details.metadata
    assert "team_b" not in production.done("namespace", "list", token=client.token)
    assert production.gofer("pipeline", "list", "--namespace", "team_a", token=client.token).returncode == 0
    assert (refused.returncode, managing.returncode) == (4, 4)
    assert "does not open the namespace 'team_b'" in refused.stderr
    assert "needs a management token" in managing.stderr


def test_a_token_is_revoked_by_its_public_id(
    production: Production, management: str, made: Callable[..., proto.CreateTokenResponse]
) -> None:
    client = made("client")
    assert client.details is not None
    name = client.details.id

    listed = production.done("service", "token", "list", "--all", token=management)
    production.done("service", "tokens", "disable", name, token=management)
    disabled = production.gofer("namespace", "list", token=client.token)
    shown = production.done("service", "token", "get", name, token=management)
    production.done("service", "token", "enable", name, token=management)
    production.done("namespace", "list", token=client.token)
    asked = production.gofer("service", "token", "delete", name, token=management)
    production.done("service", "token", "delete", name, "--yes", token=management)
    deleted = production.gofer("namespace", "list", token=client.token)

    assert name in listed
    assert client.token not in listed
    assert (disabled.returncode, deleted.returncode) == (4, 4)
    assert "disabled" in shown
    assert asked.returncode == 2
    assert "--yes" in asked.stderr


def test_a_token_may_be_piped_in(
    production: Production, management: str, made: Callable[..., proto.CreateTokenResponse]
) -> None:
    client = made("client")
    assert client.details is not None

    shown = production.done("service", "token", "get", token=management, stdin=f"{client.token}\n")
    nothing = production.gofer("service", "token", "get", token=management)

    assert client.details.id in shown
    assert nothing.returncode == 2


def test_lists_are_canonical_json(production: Production, management: str) -> None:
    printed = json.loads(production.done("service", "token", "list", "--all", "--format", "json", token=management))

    assert {"bootstrap_token": "true"} in [token.get("metadata") for token in printed["tokens"]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create", "admin"), "give client or management"),
        (("create", "client", "-e", "soon"), "a duration"),
        (("create", "client", "-m", "owner"), "KEY:VALUE"),
    ],
)
def test_wrong_usage_is_told_before_the_server_is_asked(
    production: Production, arguments: tuple[str, ...], words: str
) -> None:
    ended = production.gofer("service", "token", *arguments)

    assert ended.returncode == 2
    assert words in ended.stderr


def test_a_running_server_is_backed_up_and_restored_elsewhere(
    production: Production, management: str, tmp_path: Path
) -> None:
    config = f"{production.environment['HOME']}/gofer.hcl"
    place = str(tmp_path / "backup")
    elsewhere = {"GOFER_SERVER__STORAGE_PATH": str(tmp_path / "data" / "gofer.db")}
    other = Production(address=production.address, environment=production.environment | elsewhere)

    made = production.done("service", "backup", place, "--config", config, "--format", "json")
    shown = other.gofer("service", "restore", place, "--config", config)
    again = other.gofer("service", "restore", place, "--config", config)

    assert "gofer.db" in json.loads(made)["files"]
    assert management not in made
    assert not any("key" in name for name in json.loads(made)["files"])
    assert shown.returncode == 0, shown.stderr
    assert (tmp_path / "data" / "gofer.db").is_file()
    assert again.returncode == 1
    assert "empty places only" in again.stderr


def test_the_settings_of_a_production_server_have_no_fault(production: Production) -> None:
    config = f"{production.environment['HOME']}/gofer.hcl"

    assert production.gofer("service", "check-config", "--config", config).returncode == 0
