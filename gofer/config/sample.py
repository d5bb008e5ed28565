"""The configuration file that a production server starts from: every key, with its meaning and its default."""

import json
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

from gofer.config.keys import Key, Value, all_keys
from gofer.config.paths import settle_paths
from gofer.config.settings import Settings
from gofer_sdk.rules.durations import format_duration

MARK: Final = "# <- fill in"
"""What stands behind each value that has to be given before a server can start."""

_STORAGE: Final = Path("/var/lib/gofer/gofer.db")
_TO_FILL_IN: Final = {
    "server.tls_cert_path": "a PEM file, the server's certificate first",
    "server.tls_key_path": "a PEM file that only the server's user may read",
    "secret_store.sqlite.encryption_key": "such as the output of: openssl rand -hex 16",
}
_WIDTH: Final = 100
_HEAD: Final = f"""\
# The configuration of a Gofer server. Fill in what is marked "{MARK.strip("# ")}", then: gofer service check-config
#
# A line that begins with "# " and a key shows the default. Each key can also be given in the environment, which beats
# this file: server.host is GOFER_SERVER__HOST. Durations are texts such as "1h30m", sizes are bytes.
# This file will hold the encryption key: keep it readable for the server's user alone (chmod 600), or leave the key out
# here and give it as a systemd credential or in the environment.
"""


def sample_config() -> str:
    """Give the text of the file; once its marked values are filled in, a production server starts with it."""
    settings = Settings()
    settings = settle_paths(
        replace(settings, server=replace(settings.server, storage_path=_STORAGE)), private_folder=_STORAGE.parent
    )
    return "\n".join([_HEAD, *_block(settings, ())]).rstrip() + "\n"


def _block(settings: Settings, path: tuple[str, ...]) -> Iterator[str]:
    depth = len(path)
    indent = "  " * depth
    for key in all_keys():
        if key.path[:-1] == path and path != ("development",):
            yield from (f"{indent}{line}".rstrip() for line in _lines(key, _value_of(settings, key)))
    for name in dict.fromkeys(key.path[depth] for key in all_keys() if key.path[:depth] == path):
        inner = (*path, name)
        if inner == ("development",) or not any(key.path[:-1][: depth + 1] == inner for key in all_keys()):
            continue
        yield f"{indent}{name} {{"
        yield from _block(settings, inner)
        yield f"{indent}}}"
        yield ""


def _lines(key: Key, value: Value) -> Iterator[str]:
    yield from (f"# {line}".rstrip() for line in textwrap.wrap(" ".join(key.meaning.split()), _WIDTH))
    if key.name in _TO_FILL_IN:
        yield f'{key.path[-1]} = ""  {MARK}: {_TO_FILL_IN[key.name]}'
    elif key.name == "server.storage_path":
        yield f"{key.path[-1]} = {_hcl(value)}"
    else:
        yield f"# {key.path[-1]} = {_hcl(value)}"
    yield ""


def _value_of(settings: Settings, key: Key) -> Value:
    value: object = settings
    for name in key.path:
        value = getattr(value, name)
    return value if isinstance(value, Path) else key.default


def _hcl(value: Value) -> str:
    match value:
        case bool() | int() | float():
            return json.dumps(value)
        case tuple():
            return json.dumps(list(value))
        case timedelta():
            return json.dumps(format_duration(value))
        case _:
            return json.dumps(str(value))
