from collections.abc import Mapping
from pathlib import Path

import pytest

from gofer.config.check import start_warnings, why_not_startable
from gofer.config.load import load_settings
from gofer.config.settings import SAMPLE_ENCRYPTION_KEY, Settings


def settings(environment: Mapping[str, str], *, dev_mode: bool = True) -> Settings:
    variables = {f"GOFER_{name}": value for name, value in environment.items()}
    return load_settings(
        config_path=None,
        dev_mode=dev_mode,
        environment=variables,
        home=Path("/home/anna"),
        default_path=Path("/nowhere/gofer.hcl"),
    ).settings


PRODUCTION = {
    "SERVER__STORAGE_PATH": "/srv/gofer/gofer.db",
    "SERVER__TLS_CERT_PATH": "/etc/gofer/cert.pem",
    "SERVER__TLS_KEY_PATH": "/etc/gofer/key.pem",
    "SECRET_STORE__SQLITE__ENCRYPTION_KEY": "0123456789abcdef0123456789abcdef",
}


def test_dev_mode_starts_with_defaults_and_says_loudly_what_is_off() -> None:
    assert why_not_startable(settings({})) == ()
    assert len(start_warnings(settings({}))) == 2


@pytest.mark.parametrize(
    ("environment", "fix"),
    [
        ({"SERVER__TLS_CERT_PATH": "/x.pem"}, "give both"),
        ({"DEVELOPMENT__USE_LOCALHOST_TLS": "false"}, "give server.tls_cert_path and server.tls_key_path"),
        ({"DEVELOPMENT__DEFAULT_ENCRYPTION": "false"}, "give 32 random characters"),
        ({"SECRET_STORE__SQLITE__ENCRYPTION_KEY": "short"}, "has 5 bytes: it must have exactly 32"),
        ({"SECRET_STORE__SQLITE__PREVIOUS_ENCRYPTION_KEYS": "a,b"}, "exactly 32"),
        ({"EXTENSIONS__TLS_KEY_PATH": "/x"}, "give both, or none"),
    ],
)
def test_what_is_unsafe_in_dev_mode_is_refused_with_its_fix(environment: dict[str, str], fix: str) -> None:
    (reason,) = why_not_startable(settings(environment))

    assert fix in reason


def test_production_starts_with_a_key_and_certificates_of_its_own() -> None:
    found = settings(PRODUCTION | {"SERVER__HOST": "0.0.0.0:8080"}, dev_mode=False)

    assert why_not_startable(found) == ()
    assert start_warnings(found) == ()


def test_dev_mode_may_listen_for_others_and_says_that_they_need_a_token() -> None:
    found = settings({"SERVER__HOST": "0.0.0.0:8080"})

    assert why_not_startable(found) == ()
    assert any("need a token" in warning for warning in start_warnings(found))


@pytest.mark.parametrize(
    ("changes", "fix"),
    [
        ({"SERVER__STORAGE_PATH": "/tmp/gofer.db"}, "/var/lib/gofer/gofer.db"),
        ({"SERVER__TLS_CERT_PATH": "", "SERVER__TLS_KEY_PATH": ""}, "there is no certificate"),
        (
            {"SERVER__TLS_CERT_PATH": "", "SERVER__TLS_KEY_PATH": "", "DEVELOPMENT__USE_LOCALHOST_TLS": "true"},
            "there is no certificate",
        ),
        ({"SECRET_STORE__SQLITE__ENCRYPTION_KEY": "short"}, "exactly 32"),
        (
            {"SECRET_STORE__SQLITE__ENCRYPTION_KEY": SAMPLE_ENCRYPTION_KEY, "DEVELOPMENT__DEFAULT_ENCRYPTION": "true"},
            "the sample's",
        ),
        ({"SECRET_STORE__SQLITE__ENCRYPTION_KEY": SAMPLE_ENCRYPTION_KEY}, "the sample's"),
        ({"DEVELOPMENT__BYPASS_AUTH": "true"}, "lets everybody in"),
        (
            {"EXTENSIONS__TLS_CERT_PATH": "/etc/gofer/cert.pem", "EXTENSIONS__TLS_KEY_PATH": "/etc/gofer/key.pem"},
            "the server's own certificate",
        ),
    ],
)
def test_production_is_refused_with_the_fix_for_each_reason(changes: dict[str, str], fix: str) -> None:
    reasons = why_not_startable(settings(PRODUCTION | changes, dev_mode=False))

    assert any(fix in reason for reason in reasons), reasons
    assert len(reasons) == 1


def test_secrets_stay_out_of_the_settings_text() -> None:
    assert "0123456789abcdef" not in repr(settings(PRODUCTION))
