"""The file that the command line's settings live in: `key = value` lines, read quickly and edited one line at a time.

A plain file is read by a few lines of our own, in a fraction of a millisecond; what they don't understand (blocks,
lists, long texts) is HCL and goes to its parser, which costs a tenth of a second and more.
"""

import contextlib
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gofer.core.errors import InvalidInput
from gofer_sdk.hcl import HclBody, HclFault, parse_hcl

_FLAT_LINE: Final = re.compile(
    r"""
    \s* (?: (?P<name> [a-zA-Z_][\w-]* ) \s* = \s*
        (?: "(?P<text> [^"\\$%\n]* )" | (?P<word> true|false|-?[0-9]{1,18} ) ) \s* )?
    (?: (?: \#|// ) .* )? \Z
    """,
    re.VERBOSE | re.ASCII,
)
_ASSIGNMENT: Final = re.compile(r"(?P<head>\s*[a-zA-Z_][\w-]*\s*=\s*)(?:\"(?:[^\"\\]|\\.)*\"|[^\s\"#/]+)(?P<tail>.*)\Z")
_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r", "\t": r"\t"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a file says of one key, and in which line (from 1)."""

    value: str | int | float | bool
    line: int


def read_entries(path: Path) -> Mapping[str, Entry]:
    """Return the entries of a file by their keys.

    Raises:
        InvalidInput: the file can't be read; the message names it, the line and the fault.

    """
    return _entries(_read(path), path)


def set_entry(path: Path, key: str, value: str) -> None:
    """Give one key another value and keep every other character of the file, which is made if it is not there.

    The file is replaced as a whole and open to its owner alone (0600). A symbolic link of this user stays one: what it
    points to is replaced.

    Raises:
        InvalidInput: the file can't be read, edited or written; it is unchanged then.

    """
    target = _target_of(path)
    text = _read(target) if target.exists() else ""
    changed = _with_entry(text, key, value, path)
    expected = {name: entry.value for name, entry in _entries(text, path).items()} | {key: value}
    if {name: entry.value for name, entry in _entries(changed, path).items()} != expected:
        raise InvalidInput(f"{path}: the line of {key} can't be changed by itself; edit the file by hand")
    try:
        _replace(target, changed)
    except OSError as error:
        raise InvalidInput(f"the configuration file {path} can't be written: {error.strerror}") from error


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        raise InvalidInput(f"there is no configuration file {path}: name another, or leave it out") from None
    except OSError as error:
        raise InvalidInput(f"the configuration file {path} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the configuration file {path} can't be read: it is not UTF-8") from error


def _entries(text: str, path: Path) -> Mapping[str, Entry]:
    flat = _flat_entries(text)
    if flat is not None:
        return flat
    try:
        return _hcl_entries(parse_hcl(text), path)
    except HclFault as fault:
        raise InvalidInput(f"the configuration file {path} can't be read: {fault}") from fault


def _flat_entries(text: str) -> Mapping[str, Entry] | None:
    """Read a file of plain lines; None if it has any other, or a key twice."""
    entries: dict[str, Entry] = {}
    for number, line in enumerate(text.split("\n"), 1):
        match = _FLAT_LINE.match(line)
        if match is None or match["name"] in entries:
            return None
        if match["name"]:
            entries[match["name"]] = Entry(value=_flat_value(match), line=number)
    return entries


def _flat_value(match: re.Match[str]) -> str | int | bool:
    word = match["word"]
    if word is None:
        return match["text"]
    return word == "true" if word in {"true", "false"} else int(word)


def _hcl_entries(body: HclBody, path: Path) -> Mapping[str, Entry]:
    for block in body.blocks:
        raise InvalidInput(f"{path} line {block.line}: {block.name} is a block, and this file has none")
    entries: dict[str, Entry] = {}
    for attribute in body.attributes.values():
        if not isinstance(attribute.value, str | int | float | bool):
            raise InvalidInput(f"{path} line {attribute.line}: {attribute.name} has to be a single value")
        entries[attribute.name] = Entry(value=attribute.value, line=attribute.line)
    return entries


def _with_entry(text: str, key: str, value: str, path: Path) -> str:
    quoted = '"' + value.translate(_ESCAPES).replace("${", "$${").replace("%{", "%%{") + '"'
    entry = _entries(text, path).get(key)
    if entry is None:
        separator = "" if not text or text.endswith("\n") else "\n"
        return f"{text}{separator}{key} = {quoted}\n"
    lines = text.split("\n")
    match = _ASSIGNMENT.match(lines[entry.line - 1])
    if match is None:
        raise InvalidInput(f"{path} line {entry.line}: this line can't be changed by itself; edit the file by hand")
    lines[entry.line - 1] = f"{match['head']}{quoted}{match['tail']}"
    return "\n".join(lines)


def _target_of(path: Path) -> Path:
    """Follow a symbolic link, as those who keep their settings in a repository have it, if it is this user's own."""
    try:
        if path.is_symlink() and path.lstat().st_uid != os.getuid():
            raise InvalidInput(f"{path} is a symbolic link of another user; remove it")
        target = path.resolve()
        if target.exists() and target.stat().st_uid != os.getuid():
            raise InvalidInput(f"{target} belongs to another user")
    except OSError as error:
        raise InvalidInput(f"the configuration file {path} can't be used: {error.strerror}") from error
    return target


def _replace(path: Path, text: str) -> None:
    # mkstemp makes the file 0600 under a name that nobody could have guessed and prepared.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
