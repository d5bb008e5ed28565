from datetime import timedelta
from pathlib import Path

import pytest

from gofer.config.address import Address
from gofer.config.keys import Key, all_keys
from gofer.config.settings import LogLevel

KEYS = {key.name: key for key in all_keys()}

# Every key of the predecessor, with the variable that sets it.
PREDECESSOR = [
    "ignore_pipeline_run_events",
    "run_parallelism_limit",
    "pipeline_version_limit",
    "event_log_retention",
    "event_prune_interval",
    "log_level",
    "task_run_log_expiry",
    "task_run_logs_dir",
    "task_run_stop_timeout",
    "development.pretty_logging",
    "development.bypass_auth",
    "development.use_localhost_tls",
    "development.default_encryption",
    "development.extension_skip_tls_verify",
    "extensions.install_base_extensions",
    "extensions.stop_timeout",
    "extensions.tls_cert_path",
    "extensions.tls_key_path",
    "external_events_api.enable",
    "external_events_api.host",
    "object_store.engine",
    "object_store.sqlite.path",
    "object_store.pipeline_object_limit",
    "object_store.run_object_expiry",
    "scheduler.engine",
    "scheduler.docker.prune",
    "scheduler.docker.prune_interval",
    "secret_store.engine",
    "secret_store.sqlite.path",
    "secret_store.sqlite.encryption_key",
    "server.address",
    "server.host",
    "server.shutdown_timeout",
    "server.storage_path",
    "server.storage_results_limit",
    "server.tls_cert_path",
    "server.tls_key_path",
]


@pytest.mark.parametrize("name", PREDECESSOR)
def test_every_key_of_0_6_is_there(name: str) -> None:
    assert "GOFER_" + name.upper().replace(".", "__") == KEYS[name].variable


@pytest.mark.parametrize("key", all_keys(), ids=lambda key: key.name)
def test_every_key_is_explained_and_reads_its_own_default(key: Key) -> None:
    assert key.meaning.endswith(".")
    if key.default_text:
        assert key.read(key.default_text) == key.default


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("server.shutdown_timeout", "1m30s", timedelta(seconds=90)),
        ("task_run_stop_timeout", "-1s", timedelta(seconds=-1)),
        ("server.host", "0.0.0.0:1", Address(host="0.0.0.0", port=1)),
        ("run_parallelism_limit", 0, 0),
        ("run_parallelism_limit", "7", 7),
        ("scheduler.docker.cpu_limit", 2, 2.0),
        ("scheduler.docker.cpu_limit", "1.5", 1.5),
        ("scheduler.docker.dns", ("1.1.1.1", "9.9.9.9"), ("1.1.1.1", "9.9.9.9")),
        ("scheduler.docker.dns", "1.1.1.1, 9.9.9.9,", ("1.1.1.1", "9.9.9.9")),
        ("development.bypass_auth", True, True),
        ("development.bypass_auth", "False", False),
        ("development.bypass_auth", "1", True),
        ("log_level", "WARN", LogLevel.WARN),
        ("server.storage_path", "/srv/gofer.db", Path("/srv/gofer.db")),
        ("pipeline_version_limit", "0", 0),
    ],
)
def test_values_are_read_as_their_key_wants_them(name: str, value: object, expected: object) -> None:
    result = KEYS[name].read(value)

    assert expected == result
    assert type(expected) is type(result)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("server.shutdown_timeout", "5 minutes", "duration"),
        ("server.shutdown_timeout", 15, 'such as "1h30m"'),
        ("server.shutdown_timeout", "0s", "too short: at least 1s"),
        ("extensions.stop_timeout", "-1s", "too short"),
        ("run_parallelism_limit", -1, "too small: at least 0"),
        ("server.storage_results_limit", "99999999999999999999", "too large: at most"),
        ("server.storage_results_limit", 2**63 - 1, "too large: at most"),
        ("server.storage_path", "/a\0b", "NUL"),
        ("run_parallelism_limit", "many", "whole number"),
        ("run_parallelism_limit", True, "whole number"),
        ("run_parallelism_limit", 1.5, "whole number"),
        ("scheduler.docker.cpu_limit", "nan", "too small"),
        ("scheduler.docker.dns", (1, 2), "list of texts"),
        ("development.bypass_auth", "yes", "true or false"),
        ("development.bypass_auth", 1, "true or false"),
        ("log_level", "loud", "debug, info, warn, error, fatal, panic"),
        ("server.host", 8080, "text in quotes"),
        ("server.host", None, "text in quotes"),
        ("server.storage_path", "", "empty"),
    ],
)
def test_what_a_key_does_not_want_is_refused_with_what_it_wants(name: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KEYS[name].read(value)
