from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from gofer.config.load import Loaded, load_settings
from gofer.config.settings import LogLevel, Settings
from gofer.core.errors import InvalidInput

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "gofer.hcl"
        path.write_text(text)
        return path

    return write


def load(path: Path | None = None, *, dev_mode: bool = True, environment: Mapping[str, str] | None = None) -> Loaded:
    return load_settings(
        config_path=path,
        dev_mode=dev_mode,
        environment=environment or {},
        home=Path("/home/anna"),
        engines={"scheduler": ("nomad",), "object_store": ("shelf",), "secret_store": ("safe",)},
        default_path=Path("/nowhere/gofer.hcl"),
    )


def faults(path: Path | None = None, *, environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(InvalidInput) as caught:
        load(path, environment=environment)
    return caught.value.faults


def test_without_a_file_and_variables_everything_is_the_default() -> None:
    assert Settings() == load(dev_mode=False).settings


def test_the_file_beats_the_defaults_and_the_environment_beats_the_file(write: Write) -> None:
    path = write("""
        run_parallelism_limit = 3
        log_level             = "debug"
        server {
          host             = "localhost:1234"
          shutdown_timeout = "1m"
        }
        scheduler {
          engine = "process"
          docker { dns = ["1.1.1.1"] }
        }
    """)

    settings = load(
        path, environment={"GOFER_SERVER__SHUTDOWN_TIMEOUT": "2m", "GOFER_LOG_LEVEL": "", "HOME": "x"}
    ).settings

    assert settings.run_parallelism_limit == 3
    assert settings.log_level is LogLevel.DEBUG
    assert settings.server.host.port == 1234
    assert settings.server.shutdown_timeout == timedelta(minutes=2)
    assert settings.server.storage_results_limit == 200
    assert settings.scheduler.engine == "process"
    assert settings.scheduler.docker.dns == ("1.1.1.1",)


def test_dev_mode_turns_all_development_keys_on_and_a_file_can_turn_one_off(write: Write) -> None:
    development = load(write("development { pretty_logging = false }")).settings.development

    assert development.bypass_auth
    assert development.use_localhost_tls
    assert development.default_encryption
    assert development.extension_skip_tls_verify
    assert not development.pretty_logging
    assert not load(dev_mode=False).settings.development.bypass_auth


def test_every_fault_is_told_with_its_line_or_variable(write: Write) -> None:
    path = write("""
        log_levl = "info"
        server {
          hots = "localhost:1"
          shutdown_timeout = "soon"
          storage_path { }
        }
        server { }
        scheduler = { engine = "docker" }
        extensions "x" { }
    """)

    found = faults(path, environment={"GOFER_SERVER__HOST": "nowhere"})

    expected = [
        "line 2: log_levl is not known; did you mean log_level?",
        "scheduler is a block: write scheduler { ... } without the equals sign",
        "line 4: server.hots is not known; did you mean host?",
        "line 5: server.shutdown_timeout: 'soon' is not a duration",
        "storage_path is no block: write storage_path = ...",
        "line 8: server is given twice, first in line 3",
        "the block extensions has no label: remove 'x'",
        "GOFER_SERVER__HOST: 'nowhere' is not host:port",
    ]
    for text in expected:
        assert [each for each in found if text in each], (text, found)
    assert len(expected) == len(found)


def test_an_unknown_key_with_no_likeness_lists_what_is_known(write: Write) -> None:
    (fault,) = faults(write("secret_store { vault { } }"))

    assert "secret_store.vault is not known; known here: engine, safe, sqlite" in fault


def test_blocks_of_installed_engines_are_kept_as_they_are(write: Write) -> None:
    path = write('scheduler { nomad { url = "http://x", tls { verify = false } } }'.replace(", ", "\n"))

    other = load(path).settings.scheduler.other

    assert {"nomad": {"url": "http://x", "tls": {"verify": False}}} == other


def test_a_misspelt_engine_is_refused(write: Write) -> None:
    (fault,) = faults(write("scheduler { dcker { } }"))

    assert "did you mean docker?" in fault


def test_keys_that_only_documents_knew_are_accepted_with_a_warning(write: Write) -> None:
    path = write("""
        server { tmp_dir = "/tmp" }
        extensions {
          registered_extensions "cron" { image = "x" }
          registered_extensions "interval" { image = "y" }
        }
    """)

    loaded = load(path)

    assert len(loaded.warnings) == 3
    assert "server.tmp_dir has no effect" in loaded.warnings[0]


def test_a_file_that_is_missing_or_no_hcl_is_refused_by_name(write: Write, tmp_path: Path) -> None:
    assert "there is no configuration file" in faults(tmp_path / "none.hcl")[0]
    assert "line 1" in faults(write("server = = 1"))[0]
    assert faults(tmp_path)[0].endswith("can't be read: Is a directory")
    (tmp_path / "latin1.hcl").write_bytes(b'log_level = "\xff"')
    assert faults(tmp_path / "latin1.hcl")[0].endswith("it is not UTF-8")


def test_the_path_variable_replaces_the_flag(write: Write, tmp_path: Path) -> None:
    path = write("run_parallelism_limit = 9")

    loaded = load(tmp_path / "none.hcl", environment={"GOFER_CONFIG_PATH": str(path)})

    assert loaded.settings.run_parallelism_limit == 9
    assert path == loaded.path


def test_variables_of_the_command_line_tool_and_unknown_ones_are_left_alone() -> None:
    loaded = load(environment={"GOFER_CLI_HOST": "x", "GOFER_WHATEVER": "y"}, dev_mode=False)

    assert Settings() == loaded.settings


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({}, "/home/anna/.local/state/gofer"),
        ({"XDG_STATE_HOME": "/state"}, "/state/gofer"),
        ({"XDG_STATE_HOME": "relative"}, "/home/anna/.local/state/gofer"),
    ],
)
def test_dev_mode_puts_what_would_lie_in_tmp_into_a_private_folder(environment: dict[str, str], folder: str) -> None:
    settings = load(environment=environment).settings

    assert Path(folder) == settings.data_folder
    assert Path(folder) / "gofer.db" == settings.server.storage_path
    assert Path(folder) / "gofer-object.db" == settings.object_store.sqlite.path
    assert Path(folder) / "gofer-secret.db" == settings.secret_store.sqlite.path
    assert Path(folder) / "logs" == settings.task_run_logs_dir


def test_other_files_follow_the_storage_path_unless_they_have_a_path_of_their_own(write: Write) -> None:
    path = write("""
        task_run_logs_dir = "/var/log/gofer"
        server { storage_path = "/srv/gofer/gofer.db" }
    """)

    settings = load(path, dev_mode=False).settings

    assert Path("/srv/gofer") == settings.data_folder
    assert Path("/srv/gofer/gofer-object.db") == settings.object_store.sqlite.path
    assert Path("/var/log/gofer") == settings.task_run_logs_dir


def test_the_message_limit_follows_the_object_limit_within_bounds() -> None:
    mib = 1024 * 1024

    def limit(object_bytes: int) -> int:
        key = {"GOFER_OBJECT_STORE__OBJECT_SIZE_LIMIT_BYTES": str(object_bytes)}
        return load(environment=key).settings.max_message_bytes

    assert [limit(1), limit(20 * mib), limit(500 * mib)] == [17 * mib, 21 * mib, 65 * mib]


def test_the_usual_file_is_read_if_it_is_there(write: Write) -> None:
    path = write("run_parallelism_limit = 9")

    loaded = load_settings(config_path=None, dev_mode=True, environment={}, home=Path("/home/anna"), default_path=path)

    assert path == loaded.path
    assert loaded.settings.run_parallelism_limit == 9


def test_blocks_of_installed_stores_are_kept_as_they_are(write: Write) -> None:
    path = write('object_store {\n shelf {\n  board = 3\n }\n}\nsecret_store {\n safe {\n  code = "x"\n }\n}\n')

    settings = load(path).settings

    assert {"shelf": {"board": 3}} == settings.object_store.other
    assert {"safe": {"code": "x"}} == settings.secret_store.other
    assert "code" not in repr(settings.secret_store)


def test_a_block_of_a_store_does_not_fit_among_the_schedulers(write: Write) -> None:
    (fault,) = faults(write("scheduler { shelf { } }"))

    assert "scheduler.shelf is not known" in fault


def test_what_is_given_twice_and_what_is_an_expression_is_told_with_everything_else(write: Write) -> None:
    path = write("""
        log_level = "info"
        log_level = "warn"
        server {
          host = localhost
          hots = "x"
          host = "y"
        }
    """)

    found = faults(path, environment={"GOFER_LOG_LEVEL": "loud"})

    expected = [
        "line 3: log_level is given twice, first in line 2",
        "line 5: this is an expression",
        "line 6: server.hots is not known; did you mean host?",
        "line 7: server.host: 'y' is not host:port",
        "GOFER_LOG_LEVEL: 'loud' is none of",
    ]
    for text in expected:
        assert [each for each in found if text in each], (text, found)
    assert len(expected) == len(found)


def test_a_file_that_can_not_be_read_does_not_hide_the_faults_of_the_environment(write: Write) -> None:
    found = faults(write("server {"), environment={"GOFER_LOG_LEVEL": "loud"})

    assert len(found) == 2


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("GOFER_SERVER__HOTS", "GOFER_SERVER__HOST"),
        ("GOFER_SCHEDULER__DOCKER__PRUNES", "GOFER_SCHEDULER__DOCKER__PRUNE"),
        ("GOFER_LOG_LEVL", "GOFER_LOG_LEVEL"),
    ],
)
def test_a_variable_that_was_meant_for_a_key_is_refused(name: str, meant: str) -> None:
    assert (f"the variable {name} is not known; did you mean {meant}?",) == faults(environment={name: "x"})


@pytest.mark.parametrize("name", ["GOFER_CLI_HOST", "GOFER_PIPELINE_ID", "GOFER_RUN_ID", "GOFER_API_TOKEN"])
def test_variables_of_others_are_left_alone(name: str) -> None:
    assert Settings() == load(dev_mode=False, environment={name: "x"}).settings


def test_a_credential_beats_the_file_and_the_environment_beats_both(write: Write, tmp_path: Path) -> None:
    path = write('log_level = "warn"\nsecret_store {\n sqlite {\n  encryption_key = "of the file"\n }\n}\n')
    (tmp_path / "secret_store.sqlite.encryption_key").write_text("of the credential\n")
    (tmp_path / "log_level").write_text("error")

    settings = load(path, environment={"CREDENTIALS_DIRECTORY": str(tmp_path), "GOFER_LOG_LEVEL": "debug"}).settings

    assert settings.secret_store.sqlite.encryption_key == "of the credential"
    assert settings.log_level is LogLevel.DEBUG


def test_a_credential_that_is_no_value_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log_level").write_bytes(b"\xff")
    (tmp_path / "run_parallelism_limit").write_text("many")

    found = faults(environment={"CREDENTIALS_DIRECTORY": str(tmp_path)})

    assert len(found) == 2
    assert "many" in found[0] + found[1]


def test_a_folder_of_credentials_that_cannot_be_entered_is_one_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = str(tmp_path / "file")

    assert faults(environment={"CREDENTIALS_DIRECTORY": folder}) == (
        f"the credentials in {folder} can't be read (CREDENTIALS_DIRECTORY): Not a directory",
    )
    assert load(environment={"CREDENTIALS_DIRECTORY": str(tmp_path / "none")}) == load()


def test_a_home_that_nobody_has_is_a_fault() -> None:
    (fault,) = faults(environment={"GOFER_TASK_RUN_LOGS_DIR": "~nobody_at_all/logs"})

    assert "~nobody_at_all stands for nobody's home folder here: write the whole path" in fault


def test_a_key_of_the_wrong_kind_is_not_shown(write: Write) -> None:
    digits = "12345678901234567890123456789012"
    path = write(
        f"secret_store {{\n sqlite {{\n  encryption_key = {digits}\n  previous_encryption_keys = [{digits}]\n }}\n}}\n"
    )

    found = faults(path)

    assert 2 == len(found)
    assert not any("12345" in fault for fault in found)
    assert all("which is not shown" in fault for fault in found)
