"""The command line's settings: which source counts, and what is wrong with it."""

from pathlib import Path

import pytest

from gofer.config.address import Address
from gofer.config.client_flags import ClientFlags, OutputFormat
from gofer.config.client_settings import (
    ClientSettings,
    config_path_to_write,
    explain_client_settings,
    load_client_settings,
)
from gofer.core.errors import InvalidInput

PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def load(
    home: Path, *, flags: ClientFlags | None = None, environment: dict[str, str] | None = None, file: str | None = None
) -> ClientSettings:
    """Load the settings of a home folder whose file has this text."""
    if file is not None:
        (home / ".gofer.hcl").write_text(file)
    return load_client_settings(flags or ClientFlags(), environment=environment or {}, home=home)


def test_nothing_said_means_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path) == ClientSettings()
    assert ClientSettings().host == Address(host="localhost", port=8080)


def test_flags_beat_the_environment_and_that_beats_the_file(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        flags=ClientFlags(namespace="flag"),
        environment={"GOFER_CLI_NAMESPACE": "variable", "GOFER_CLI_HOST": "variable:1", "GOFER_CLI_TOKEN": ""},
        file='namespace = "file"\nhost = "file:1"\ntoken = "file"\n',
    )

    assert settings.namespace == "flag"
    assert settings.host == Address(host="variable", port=1)
    assert settings.token == "file"
    assert settings.config_path == tmp_path / ".gofer.hcl"


def test_every_setting_can_come_from_the_file_and_from_the_environment(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(PEM)
    expected = ClientSettings(
        namespace="n",
        detail=True,
        format=OutputFormat.JSON,
        host=Address(host="h", port=443),
        no_color=True,
        token="t",
        tls_ca=PEM,
    )

    variables = load(
        tmp_path,
        environment={
            "GOFER_CLI_NAMESPACE": "n",
            "GOFER_CLI_DETAIL": "1",
            "GOFER_CLI_FORMAT": "JSON",
            "GOFER_CLI_HOST": "h",
            "GOFER_CLI_NO_COLOR": "true",
            "GOFER_CLI_TOKEN": "t",
            "GOFER_CLI_TLS_CA": PEM,
        },
    )
    file = load(
        tmp_path,
        file=f"""
            namespace = "n"
            detail    = true
            format    = "json"
            host      = "h"
            no_color  = "true"
            token     = "t"
            tls_ca    = "{tmp_path}/ca.pem"
        """,
    )

    assert expected == variables
    assert expected.host == file.host
    assert (file.detail, file.no_color, file.tls_ca, file.format) == (True, True, PEM, OutputFormat.JSON)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("example.org", "example.org", 443),
        ("example.org:8080", "example.org", 8080),
        ("[::1]:8080", "::1", 8080),
        ("[::1]", "::1", 443),
    ],
)
def test_a_host_without_a_port_means_443(tmp_path: Path, text: str, host: str, port: int) -> None:
    assert load(tmp_path, flags=ClientFlags(host=text)).host == Address(host=host, port=port)


def test_no_color_of_the_environment_counts_whatever_it_says(tmp_path: Path) -> None:
    assert load(tmp_path, environment={"NO_COLOR": "0"}).no_color
    assert not load(tmp_path, environment={"NO_COLOR": ""}).no_color


def test_the_file_is_the_named_one_or_the_first_that_is_there(tmp_path: Path) -> None:
    (tmp_path / ".config").mkdir()
    (tmp_path / ".config" / "gofer.hcl").write_text('namespace = "second"')
    second = load(tmp_path)
    first = load(tmp_path, file='namespace = "first"')
    (tmp_path / "named").write_text('namespace = "named"')
    (tmp_path / "flag").write_text('namespace = "flag"')
    environment = {"GOFER_CLI_CONFIG_PATH": str(tmp_path / "named")}

    assert (second.namespace, first.namespace) == ("second", "first")
    assert load(tmp_path, environment=environment).namespace == "named"
    flags = ClientFlags(config=str(tmp_path / "flag"))
    assert load(tmp_path, flags=flags, environment=environment).namespace == "flag"
    assert config_path_to_write(flags, environment=environment, home=tmp_path) == tmp_path / "flag"
    assert config_path_to_write(ClientFlags(), environment={}, home=tmp_path) == tmp_path / ".gofer.hcl"
    assert config_path_to_write(ClientFlags(), environment={}, home=tmp_path / "new") == tmp_path / "new/.gofer.hcl"


@pytest.mark.parametrize(
    ("flags", "environment", "file", "expected"),
    [
        (ClientFlags(config="/nowhere/x"), {}, None, "there is no configuration file /nowhere/x"),
        (ClientFlags(), {"GOFER_CLI_CONFIG_PATH": "/nowhere/x"}, None, "there is no configuration file"),
        (ClientFlags(format="xml"), {}, None, "--format: 'xml' is no format: use pretty, json, silent"),
        (ClientFlags(format="plain"), {}, None, "silent (what 0.6 called plain is pretty with no_color)"),
        (ClientFlags(host="a:b:c"), {}, None, "--host: "),
        (ClientFlags(host="a:99999"), {}, None, "--host: "),
        (ClientFlags(tls_ca="/nowhere.pem"), {}, None, "--tls-ca: /nowhere.pem can't be read: No such file"),
        (ClientFlags(tls_ca=str(Path(__file__).with_name("test_client_file.py"))), {}, None, "holds no certificate"),
        (ClientFlags(), {"GOFER_CLI_DETAIL": "yes"}, None, "GOFER_CLI_DETAIL: detail has to be true or false"),
        (ClientFlags(), {}, 'namspace = "x"', "line 1: the key namspace is not known: did you mean namespace?"),
        (ClientFlags(), {}, '\nqqq = "x"', "line 2: the key qqq is not known: the keys are namespace, "),
        (ClientFlags(), {}, "namespace = 5", "line 1: namespace has to be a text"),
        (ClientFlags(), {}, "detail = 5", "line 1: detail has to be true or false"),
        (ClientFlags(), {}, "namespace = default", "line 1, column 13: "),
        (ClientFlags(), {}, 'token = "a"\ntoken = "b"', "line 2, column 1: token is given twice, first in line 1"),
        (ClientFlags(), {}, "server {\n}", "line 1: server is a block, and this file has none"),
        (ClientFlags(), {}, 'namespace = ["a"]', "line 1: namespace has to be a single value"),
    ],
)
def test_a_fault_is_told_with_its_place_and_fix(
    tmp_path: Path, flags: ClientFlags, environment: dict[str, str], file: str | None, expected: str
) -> None:
    with pytest.raises(InvalidInput) as fault:
        load(tmp_path, flags=flags, environment=environment, file=file)

    assert expected in fault.value.message


def test_the_token_does_not_show_in_a_repr(tmp_path: Path) -> None:
    flags = ClientFlags(token="geheim")

    assert "geheim" not in repr(flags) + repr(load(tmp_path, flags=flags))


def test_each_setting_says_where_it_comes_from_and_no_token_is_shown(tmp_path: Path) -> None:
    file = tmp_path / ".gofer.hcl"
    file.write_text('# mine\nhost = "file:1"\ntoken = "file-token"\n')
    flags, environment = (
        ClientFlags(namespace="flag"),
        {"GOFER_CLI_DETAIL": "1", "NO_COLOR": "1", "GOFER_CLI_TLS_CA": PEM},
    )

    origins = {
        each.name: (each.value, each.place)
        for each in explain_client_settings(flags, environment=environment, home=tmp_path)
    }

    assert origins == {
        "namespace": ("flag", "--namespace"),
        "detail": ("1", "GOFER_CLI_DETAIL"),
        "format": ("pretty", "default"),
        "host": ("file:1", f"{file} line 2"),
        "no_color": ("true", "NO_COLOR"),
        "token": ("***", f"{file} line 3"),
        "tls_ca": ("certificates in PEM", "GOFER_CLI_TLS_CA"),
    }


def test_a_switch_is_said_in_words(tmp_path: Path) -> None:
    flags = ClientFlags(detail=True, token="")
    origins = {
        each.name: (each.value, each.place) for each in explain_client_settings(flags, environment={}, home=tmp_path)
    }

    assert origins["detail"] == ("true", "--detail")
    assert origins["token"] == ("", "default")
    assert origins["no_color"] == ("false", "default")


def test_a_home_that_nobody_has_is_told_as_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"there is no configuration file ~nobody_at_all/gofer\.hcl"):
        load(tmp_path, flags=ClientFlags(config="~nobody_at_all/gofer.hcl"))
    with pytest.raises(InvalidInput, match=r"--tls-ca: ~nobody_at_all/ca\.pem can't be read"):
        load(tmp_path, flags=ClientFlags(tls_ca="~nobody_at_all/ca.pem"))


def test_a_home_that_cannot_be_looked_into_has_no_file_and_a_named_file_there_is_a_fault(tmp_path: Path) -> None:
    """Such as root's home folder, which sudo may leave to another user; root itself may look into every folder."""
    closed = tmp_path / ("too_long" * 40)

    assert load(closed) == ClientSettings()
    with pytest.raises(InvalidInput, match="can't be read: File name too long"):
        load(tmp_path, flags=ClientFlags(config=str(closed / "gofer.hcl")))
