"""The server's settings."""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from docs.generators.markdown import code, join, sentences, table
from gofer.config.address import Address
from gofer.config.keys import Key, all_keys
from gofer.config.settings import SAMPLE_ENCRYPTION_KEY, Settings

NOT_YET: Final[Mapping[str, str]] = {
    "development.extension_skip_tls_verify": "extension_skip_tls_verify",
    "extensions.install_base_extensions": "install_base_extensions",
    "extensions.stop_timeout": r"extensions\.stop_timeout",
    "extensions.tls_cert_path": r"extensions\.tls_cert_path",
    "extensions.tls_key_path": r"extensions\.tls_key_path",
    "external_events_api.enable": "external_events_api",
    "external_events_api.host": "external_events_api",
}
"""Keys that are read and checked, and have no effect in this version; with what the code would hold if they had one."""

_KINDS: Final[Mapping[type, str]] = {
    str: "text",
    bool: "true or false",
    int: "number",
    float: "number",
    timedelta: "duration",
    Path: "path",
    Address: "host:port",
    tuple: "list of texts",
}


def settings() -> str:
    """Return a section with a table for each block."""
    return join(*_blocks(Settings(), ()))


def _blocks(block: object, path: tuple[str, ...]) -> Iterator[str]:
    own = [key for key in all_keys() if key.path[:-1] == path]
    if own:
        title = f"The block `{'.'.join(path)}`" if path else "Outside of any block"
        text = sentences(inspect.getdoc(type(block)) or "") if path else ""
        yield f"## {title}\n\n{text}".strip()
        yield table(("key", "type", "default", "meaning"), [_row(key) for key in own])
    for each in fields(block) if is_dataclass(block) else ():
        value = getattr(block, each.name)
        if is_dataclass(value) and not isinstance(value, Address):
            yield from _blocks(value, (*path, each.name))


def _row(key: Key) -> tuple[str, str, str, str]:
    meaning = sentences(key.meaning)
    if key.name in NOT_YET:
        meaning += " *(no effect yet)*"
    return f"{code(key.name)}<br>{code(key.variable)}", _kind(key), _default(key), meaning


def _kind(key: Key) -> str:
    if issubclass(key.kind, StrEnum):
        return "one of " + ", ".join(code(each.value) for each in key.kind)
    kind = _KINDS[key.kind]
    if not key.minimum:
        return kind
    return f"{kind}, at least {key.minimum}{'s' if key.kind is timedelta else ''}"


def _default(key: Key) -> str:
    if key.default == SAMPLE_ENCRYPTION_KEY:
        return "the sample's"
    text = code(key.default_text) or "empty"
    return f"{text}, in dev mode `true`" if key.path[0] == "development" else text
