"""What `gofer doctor` finds: each fault by its subject, with what mends it."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import betterproto2
import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from gofer import __version__
from gofer.cli.context import CliContext
from gofer.cli.diagnosis.access import look_at_access
from gofer.cli.diagnosis.files import look_at_own_files, look_at_server_files
from gofer.cli.diagnosis.finding import Diagnosis, Finding, Health, bad, show_diagnosis, warning
from gofer.cli.diagnosis.server import PATIENCE, look_at_server
from gofer.cli.output import Output
from gofer.config.client_flags import ClientFlags, OutputFormat
from gofer_sdk._proto import proto
from tests.fakes.server import FakeServer, certificate

INFO = proto.GetSystemInfoResponse(semver=__version__, scheduler_engine="docker", instance_id="a")


def context_of(
    home: Path, *, flags: ClientFlags | None = None, environment: Mapping[str, str] | None = None
) -> CliContext:
    nowhere = {"GOFER_CONFIG_PATH": str(home / "nowhere.hcl"), "XDG_STATE_HOME": str(home / "state")}
    return CliContext(flags=flags or ClientFlags(), environment={**nowhere, **(environment or {})}, home=home)


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def faults(findings: list[Finding]) -> list[tuple[str, Health]]:
    return [(finding.subject, finding.health) for finding in findings if finding.health is not Health.GOOD]


# ---------------------------------------------------------------- the files


def test_settings_that_are_as_they_should_be_are_good(tmp_path: Path) -> None:
    write(tmp_path / ".gofer.hcl", 'token = "abc"\n')

    assert [] == faults(list(look_at_own_files(context_of(tmp_path))))
    assert [] == faults(list(look_at_own_files(context_of(tmp_path / "empty"))))


@pytest.mark.parametrize(
    ("text", "mode", "mend"),
    [
        ('token = "abc"\n', 0o644, "chmod 600"),
        ('host = "a:1"\n', 0o664, "chmod 600"),
        ("hots = 1\n", 0o600, "gofer context"),
        ("host = \n", 0o600, "gofer context"),
    ],
)
def test_a_file_that_is_open_or_broken_is_told_with_what_mends_it(
    tmp_path: Path, text: str, mode: int, mend: str
) -> None:
    path = write(tmp_path / ".gofer.hcl", text, mode)

    (finding,) = look_at_own_files(context_of(tmp_path))

    assert Health.BAD is finding.health
    assert str(path) in finding.text
    assert mend in finding.mend
    assert "abc" not in finding.text


def test_a_file_without_a_token_may_be_read_by_others(tmp_path: Path) -> None:
    write(tmp_path / ".gofer.hcl", 'host = "a:1"\n', 0o644)

    assert [] == faults(list(look_at_own_files(context_of(tmp_path))))


def test_a_second_file_and_a_token_on_the_command_line_are_worth_knowing(tmp_path: Path) -> None:
    write(tmp_path / ".gofer.hcl", "")
    write(tmp_path / ".config/gofer.hcl", "")

    found = list(look_at_own_files(context_of(tmp_path, flags=ClientFlags(token="abcdef"))))

    assert [("token", Health.WARNING), ("settings", Health.WARNING)] == faults(found)
    assert not any("abcdef" in finding.text + finding.mend for finding in found)


def test_a_servers_file_is_looked_at_where_there_is_one(tmp_path: Path) -> None:
    good = f'server {{ storage_path = "{tmp_path}/gofer.db" }}'
    path = write(tmp_path / "server.hcl", good)
    cli = context_of(tmp_path, environment={"GOFER_CONFIG_PATH": str(path)})

    assert ["server's file", "server's disk"] == [finding.subject for finding in look_at_server_files(cli)]
    path.chmod(0o644)
    assert ("server's file", Health.BAD) in faults(list(look_at_server_files(cli)))
    write(path, "sever {}")
    (broken,) = look_at_server_files(cli)
    assert "did you mean server?" in broken.text


def test_where_no_server_is_nothing_is_said_of_one(tmp_path: Path) -> None:
    assert [] == list(look_at_server_files(context_of(tmp_path)))


def test_a_servers_folder_that_is_closed_to_this_user_is_no_fault(tmp_path: Path) -> None:
    """As /etc/gofer may be to all but the server; root, who may look everywhere, meets a name that is too long."""
    closed = tmp_path / ("too_long" * 40) / "gofer.hcl"

    assert [] == list(look_at_server_files(context_of(tmp_path, environment={"GOFER_CONFIG_PATH": str(closed)})))


# ---------------------------------------------------------------- the server


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[FakeServer]:
    _, context = certificate(tmp_path, "127.0.0.1")
    async with FakeServer().running(context) as server:
        yield server


async def found_on(server: FakeServer, home: Path, *, flags: ClientFlags | None = None) -> list[Finding]:
    cli = context_of(home, flags=flags, environment={"GOFER_CLI_HOST": f"127.0.0.1:{server.port}"})
    async with cli.client(patience=PATIENCE) as client:
        findings, answers = await look_at_server(cli, client)
        if answers:
            findings.extend([finding async for finding in look_at_access(cli, client)])
    return findings


def refusing(status: Status, text: str) -> Callable[[betterproto2.Message], object]:
    async def refuse(_: betterproto2.Message) -> betterproto2.Message:
        raise GRPCError(status, text)

    return refuse


def now_ms(ahead: timedelta = timedelta()) -> int:
    return int((datetime.now(UTC) + ahead).timestamp() * 1000)


def answer_well(server: FakeServer) -> None:
    server.answer("GetSystemInfo", proto.GetSystemInfoResponse.parse(bytes(INFO)))
    server.answer("WhoAmI", proto.WhoAmIResponse(without_token=True))
    server.answer("ListPipelines", proto.ListPipelinesResponse())


async def test_a_server_that_is_well_is_well(served: FakeServer, tmp_path: Path) -> None:
    answer_well(served)
    info = proto.GetSystemInfoResponse.parse(bytes(INFO))
    info.server_time = now_ms()
    served.answer("GetSystemInfo", info)

    found = await found_on(served, tmp_path)

    assert [] == faults(found)
    assert ["server", "certificate", "clock", "engine", "token", "namespace"] == [each.subject for each in found]


async def test_a_server_that_is_not_there_is_told_with_how_to_start_one(tmp_path: Path) -> None:
    nobody = FakeServer()
    nobody.port = 1

    (finding,) = await found_on(nobody, tmp_path)

    assert Health.BAD is finding.health
    assert "gofer service start --dev-mode" in finding.mend


@pytest.mark.parametrize(("ahead", "word"), [(timedelta(minutes=5), "ahead"), (timedelta(minutes=-5), "behind")])
async def test_clocks_that_differ_are_told(served: FakeServer, tmp_path: Path, ahead: timedelta, word: str) -> None:
    answer_well(served)
    info = proto.GetSystemInfoResponse.parse(bytes(INFO))
    info.server_time = now_ms(ahead)
    served.answer("GetSystemInfo", info)

    found = await found_on(served, tmp_path)

    assert [("clock", Health.WARNING)] == faults(found)
    assert any(word in finding.text for finding in found)


async def test_another_version_and_the_servers_notes_are_told(served: FakeServer, tmp_path: Path) -> None:
    answer_well(served)
    served.answer("GetSystemInfo", proto.GetSystemInfoResponse(semver="0.6.2", notes=["the engine sleeps"]))

    found = await found_on(served, tmp_path)

    assert [("version", Health.WARNING), ("server", Health.WARNING)] == faults(found)
    assert "the engine sleeps" in [finding.text for finding in found]


async def test_a_token_that_opens_nothing_is_told_with_how_to_get_one(served: FakeServer, tmp_path: Path) -> None:
    answer_well(served)
    served.answer("WhoAmI", refusing(Status.UNAUTHENTICATED, "your token has expired"))  # type: ignore[arg-type]

    found = await found_on(served, tmp_path)

    assert [("token", Health.BAD)] == faults(found)
    assert "gofer service token create" in found[-1].mend


@pytest.mark.parametrize(("left", "health"), [(timedelta(hours=20), Health.GOOD), (timedelta(hours=1), Health.WARNING)])
async def test_a_token_in_the_last_tenth_of_its_life_is_told(
    served: FakeServer, tmp_path: Path, left: timedelta, health: Health
) -> None:
    answer_well(served)
    token = proto.Token(id="abc", created=now_ms(left - timedelta(hours=24)), expires=now_ms(left))
    served.answer("WhoAmI", proto.WhoAmIResponse(details=token))

    found = await found_on(served, tmp_path)

    assert [health] == [finding.health for finding in found if finding.subject == "token"]


@pytest.mark.parametrize("status", [Status.NOT_FOUND, Status.PERMISSION_DENIED])
async def test_a_namespace_that_is_not_there_or_not_open_is_told(
    served: FakeServer, tmp_path: Path, status: Status
) -> None:
    answer_well(served)
    served.answer("GetNamespace", refusing(status, "there is no namespace 'team_a'"))  # type: ignore[arg-type]

    found = await found_on(served, tmp_path, flags=ClientFlags(namespace="team_a"))

    assert [("namespace", Health.BAD)] == faults(found)
    assert "gofer namespace set default" in found[-1].mend


async def test_a_certificate_that_does_not_verify_is_told(tmp_path: Path) -> None:
    """127.0.0.2 is this machine, but not one of the names whose certificate is taken as it is."""
    _, context = certificate(tmp_path, "127.0.0.2")
    async with FakeServer().running(context, "127.0.0.2") as server:
        cli = context_of(tmp_path, environment={"GOFER_CLI_HOST": f"127.0.0.2:{server.port}"})
        async with cli.client(patience=PATIENCE) as client:
            findings, answers = await look_at_server(cli, client)

    assert not answers
    assert [("certificate", Health.BAD)] == faults(findings)
    assert "--tls-ca" in findings[0].mend


# ---------------------------------------------------------------- how it is told


def test_findings_are_lines_with_what_mends_them(capsys: pytest.CaptureFixture[str]) -> None:
    diagnosis = Diagnosis(
        findings=[Finding(subject="a", text="fine"), warning("b", "so\x1b[2J so", mend="c d"), bad("e", "f", mend="g")]
    )

    show_diagnosis(diagnosis, Output())
    show_diagnosis(diagnosis, Output(format=OutputFormat.JSON))
    show_diagnosis(diagnosis, Output(format=OutputFormat.SILENT))

    *lines, last = capsys.readouterr().out.splitlines()
    assert ["✓ a: fine", "! b: so [2J so", "    mend it: c d", "✗ e: f", "    mend it: g"] == lines
    assert not json.loads(last)["well"]
    assert {"subject": "e", "health": "bad", "text": "f", "mend": "g"} == json.loads(last)["findings"][-1]
