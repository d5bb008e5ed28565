"""Every key that the settings have, found from their classes, and reading a value as its key wants it."""

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Final, get_args, get_origin, get_type_hints

from gofer.config import settings
from gofer.config.address import Address
from gofer.config.homes import expanded
from gofer.config.settings import AtLeast, Settings
from gofer_sdk.rules.durations import format_duration, parse_duration
from gofer_sdk.rules.text import quoted

Value = str | int | float | bool | timedelta | Path | Address | tuple[str, ...]
"""What a key may hold."""

LARGEST: Final = 2**53
"""The largest number that a key may hold: far beyond any sense, and well within what the database counts with."""
NO_KEYS: Final = frozenset({"dev_mode", "other"})  # fields that neither a file nor a variable sets by name
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key: where it stands, what it holds, and what that is when nobody says anything."""

    path: tuple[str, ...]
    kind: type
    minimum: int | None
    default: Value
    meaning: str
    is_secret: bool = False

    @property
    def name(self) -> str:
        """Give the name that people use, such as `server.host`."""
        return ".".join(self.path)

    @property
    def variable(self) -> str:
        """Give the environment variable, such as `GOFER_SERVER__HOST`."""
        return "GOFER_" + "__".join(self.path).upper()

    @property
    def default_text(self) -> str:
        """Give the default as people write it."""
        match self.default:
            case timedelta():
                return format_duration(self.default)
            case bool():
                return str(self.default).lower()
            case tuple():
                return ",".join(self.default)
            case _:
                return str(self.default)

    def read(self, value: object) -> Value:
        """Read a value of a file, or the text of a variable.

        Raises:
            ValueError: it is not what the key wants; the message says what that is.

        """
        try:
            result = _from_text(self.kind, value) if isinstance(value, str) else _from_value(self.kind, value)
        except ValueError:
            if self.is_secret:
                raise ValueError(f"the value, which is not shown, is not {_wanted(self.kind)}") from None
            raise
        if self.minimum is not None:
            _check_minimum(result, self.minimum)
        if isinstance(result, int) and result > LARGEST:
            raise ValueError(f"the number is too large: at most {LARGEST}")
        return result


@cache
def all_keys() -> tuple[Key, ...]:
    """Give every key, in the order of the classes. The meanings are read from their source once."""
    return tuple(_keys(Settings(), (), _texts()))


def _keys(block: object, prefix: tuple[str, ...], texts: dict[tuple[str, str], str]) -> Iterator[Key]:
    if not is_dataclass(block):
        raise TypeError(f"{block!r} is no block of settings")
    hints = get_type_hints(type(block), include_extras=True)
    for each in fields(block):
        value = getattr(block, each.name)
        path = (*prefix, each.name)
        if is_dataclass(value) and not isinstance(value, Address):
            yield from _keys(value, path, texts)
        elif each.name not in NO_KEYS:
            kind, minimum = _kind(hints[each.name])
            meaning = texts[type(block).__name__, each.name]
            yield Key(path=path, kind=kind, minimum=minimum, default=value, meaning=meaning, is_secret=not each.repr)


def _kind(hint: object) -> tuple[type, int | None]:
    minimum: int | None = None
    if get_origin(hint) is Annotated:
        hint, bound = get_args(hint)
        minimum = bound.value if isinstance(bound, AtLeast) else None
    kind = get_origin(hint) or hint
    if not isinstance(kind, type):
        raise TypeError(f"{hint!r} is no kind of setting")
    return kind, minimum


def _texts() -> dict[tuple[str, str], str]:
    # The text below each field, which Python itself does not keep.
    found: dict[tuple[str, str], str] = {}
    for block in ast.parse(inspect.getsource(settings)).body:
        if not isinstance(block, ast.ClassDef):
            continue
        for statement, below in zip(block.body, block.body[1:], strict=False):
            match statement, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    found[block.name, name] = inspect.cleandoc(text)
                case _:
                    pass
    return found


def _from_text(kind: type, text: str) -> Value:
    if issubclass(kind, StrEnum):
        return _choice(kind, text)
    match kind:
        case _ if kind is str:
            return text
        case _ if kind is bool:
            return _boolean(text)
        case _ if kind is int or kind is float:
            return _number(kind, text)
        case _ if kind is timedelta:
            return parse_duration(text)
        case _ if kind is Path:
            return _path(text)
        case _ if kind is Address:
            return Address.parse(text)
        case _:
            return tuple(part.strip() for part in text.split(",") if part.strip())


def _from_value(kind: type, value: object) -> Value:
    match value:
        case bool() if kind is bool:
            return value
        case bool():
            pass
        case int() if kind is int:
            return value
        case int() | float() if kind is float:
            return float(value)
        case tuple() if kind is tuple and all(isinstance(each, str) for each in value):
            return value
        case _:
            pass
    raise ValueError(f"{value!r} is not {_wanted(kind)}")


def _wanted(kind: type) -> str:
    return _WANTED.get(kind, "a text in quotes")


_WANTED: Final = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    tuple: 'a list of texts, such as ["a", "b"]',
    timedelta: 'a duration in quotes, such as "1h30m"',
}


def _choice(kind: type[StrEnum], text: str) -> StrEnum:
    try:
        return kind(text.strip().lower())
    except ValueError:
        raise ValueError(f"{text!r} is none of {', '.join(kind)}") from None


def _boolean(text: str) -> bool:
    try:
        return _BOOLEANS[text.strip().lower()]
    except KeyError:
        raise ValueError(f"{text!r} is not true or false") from None


def _number(kind: type[int] | type[float], text: str) -> int | float:
    try:
        return kind(text.strip())
    except ValueError:
        raise ValueError(f"{quoted(text)} is not {_WANTED[kind]}") from None


def _path(text: str) -> Path:
    if not text or "\0" in text:
        raise ValueError("the path is empty, or holds a NUL character")
    path = expanded(text)
    if str(path).startswith("~"):
        raise ValueError(f"{path.parts[0]} stands for nobody's home folder here: write the whole path")
    return path.absolute()


def _check_minimum(value: Value, minimum: int) -> None:
    match value:
        case timedelta() if value < timedelta(seconds=minimum):
            raise ValueError(f"{format_duration(value)} is too short: at least {minimum}s")
        case int() | float() if not value >= minimum:  # so that "not a number" is refused too
            raise ValueError(f"{value} is too small: at least {minimum}")
        case _:
            pass
