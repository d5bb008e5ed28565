"""Any file and any environment as the settings of a server, and as those of the command line.

The file stands before the first zero; behind it come variables, `NAME=value`, parted by zeros.
"""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from gofer.config.client_file import read_entries, set_entry
from gofer.config.client_flags import ClientFlags
from gofer.config.client_settings import SETTING_NAMES, explain_client_settings, load_client_settings
from gofer.config.keys import all_keys
from gofer.config.load import load_settings
from gofer.config.sample import sample_config
from gofer.core.errors import InvalidInput
from tests.fuzz.target import Target

SECRET: Final = "a-secret-of-32-characters-or-not"
ENGINES: Final = {"scheduler": ("beside",), "object_store": ("beside",), "secret_store": ("beside",)}


def check(data: bytes) -> None:
    """Read the settings: what comes is settings or words, and no secret of them is shown."""
    text, *variables = data.split(b"\0")
    path = _folder() / "gofer.hcl"
    path.write_bytes(text)
    environment = _environment(variables)
    _check_server(path, environment)
    _check_client(path, environment)


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp())


def _environment(variables: list[bytes]) -> Mapping[str, str]:
    pairs = (each.decode("utf-8", "surrogateescape").partition("=") for each in variables)
    return {name: value for name, equals, value in pairs if equals and name}


def _check_server(path: Path, environment: Mapping[str, str]) -> None:
    named = {name: value for name, value in environment.items() if name != "GOFER_CONFIG_PATH"}
    dev_mode = len(environment) % 2 == 1
    try:
        loaded = load_settings(config_path=path, dev_mode=dev_mode, environment=named, home=_folder(), engines=ENGINES)
    except InvalidInput:
        return
    assert SECRET not in repr(loaded.settings.secret_store), "a description shows the key"


def _check_client(path: Path, environment: Mapping[str, str]) -> None:
    flags = ClientFlags(config=str(path))
    named = {name: value for name, value in environment.items() if not name.endswith(("CONFIG_PATH", "TLS_CA"))}
    with contextlib.suppress(InvalidInput):
        settings = load_client_settings(flags, environment=named, home=_folder())
        assert SECRET not in settings.token or SECRET not in repr(settings), "a description shows the token"
        explain_client_settings(flags, environment=named, home=_folder())
    before = path.read_bytes()
    try:
        entries = {name: each.value for name, each in read_entries(path).items()}
        set_entry(path, "namespace", 'a "${new}" one\\')
    except InvalidInput:
        assert path.read_bytes() == before, "a file that can't be changed was changed"
    else:
        changed = {name: each.value for name, each in read_entries(path).items()}
        assert changed == entries | {"namespace": 'a "${new}" one\\'}


def seeds() -> Iterator[bytes]:
    """Give files that are read, files that are refused, and variables of every kind."""
    yield b'namespace = "a"\ndetail = true\nformat = "json"\nhost = "localhost:8080" # here\n'
    yield b'log_level = "info"\nserver {\n  host = "localhost:0"\n  shutdown_timeout = "15s"\n}\n'
    yield f'secret_store {{\n engine = "sqlite"\n sqlite {{\n encryption_key = "{SECRET}"\n }}\n}}\n'.encode()
    yield f'token = "{SECRET}"\n\0GOFER_CLI_TOKEN={SECRET}'.encode()
    yield f"\0GOFER_SECRET_STORE__SQLITE__ENCRYPTION_KEY={SECRET}".encode()
    yield b'scheduler {\n beside {\n a = [1, 2.5, "x"]\n b = { c = null, "d" = -1 }\n }\n}\n'
    yield b'a = <<EOT\ntext\nEOT\nb = <<-E\n  x\n  E\n/* c */ d "l" {\n}\n'
    yield b'a = (1)\nb = -(2)\nc = "\\u00e9 $${x} %%{y}"\nd = 1e3\n'
    yield b"\0GOFER_SERVER__HOST=[::1]:8080\0GOFER_LOG_LEVEL=debug\0GOFER_SCHEDULER__MAX_TASKS=-1\0GOFER_SERVR__HOST=x"
    yield sample_config().encode()[:2000]


WORDS: Final = (
    *sorted({part for key in all_keys() for part in key.path}),
    *sorted(key.variable for key in all_keys()),
    *SETTING_NAMES,
    *(
        "<<EOT\n",
        "<<-E\n",
        "${",
        "%{",
        "$${",
        "\\u",
        "\\U",
        '"',
        "null",
        "true",
        "/*",
        "*/",
        "//",
        " = ",
        " {\n",
        "\n}\n",
    ),
    SECRET,
)
TARGET: Final = Target(check=check, seeds=seeds, words=WORDS, max_bytes=2048)
