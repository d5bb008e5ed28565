"""The settings of the command line: flags, then `GOFER_CLI_*` variables, then the file; the first that says counts."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gofer.config.address import Address
from gofer.config.client_file import read_entries
from gofer.config.client_flags import ClientFlags, OutputFormat
from gofer.config.homes import expanded
from gofer.core.errors import InvalidInput

DEFAULT_HOST: Final = Address(host="localhost", port=8080)
DEFAULT_PORT: Final = 443
"""Of a host that is given without one."""

FILE_NAMES: Final = (".gofer.hcl", ".config/gofer.hcl")
"""Where the file is looked for, below the home folder; the first that is there counts."""

PATH_VARIABLE: Final = "GOFER_CLI_CONFIG_PATH"
_PREFIX: Final = "GOFER_CLI_"
_WORDS: Final = {"true": True, "1": True, "false": False, "0": False}
_PEM_START: Final = "-----BEGIN"
_DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """What all commands go by.

    Attributes:
        namespace: the namespace of each request; empty lets the server choose.
        detail: exact times beside those in words.
        format: how to print.
        host: where the server listens; without a port it is 443.
        no_color: no colours, on terminals too.
        token: opens the server's API; empty = none.
        tls_ca: certificates in PEM to trust; None = those that this machine trusts.
        config_path: the file that was read, None if there is none.

    """

    namespace: str = ""
    detail: bool = False
    format: OutputFormat = OutputFormat.PRETTY
    host: Address = DEFAULT_HOST
    no_color: bool = False
    token: str = field(default="", repr=False)
    tls_ca: str | None = None
    config_path: Path | None = None


SETTING_NAMES: Final = ("namespace", "detail", "format", "host", "no_color", "token", "tls_ca")
"""What a file may say, and after `GOFER_CLI_` in capitals the environment."""


def load_client_settings(flags: ClientFlags, *, environment: Mapping[str, str], home: Path) -> ClientSettings:
    """Read the settings of the command line. An empty variable counts as none.

    Raises:
        InvalidInput: a value can't be read, a named file is not there or holds unknown keys; names the place and fix.

    """
    path, named = _find_file(flags, environment, home)
    exists = path is not None and _is_file(path, otherwise=True)
    if named and not exists:
        raise InvalidInput(f"there is no configuration file {path}: name another, or leave it out")
    sources = _Sources(flags=flags, environment=environment, path=path if exists else None)
    return ClientSettings(
        namespace=sources.text("namespace") or "",
        detail=sources.boolean("detail"),
        format=_format(sources),
        host=_host(sources),
        no_color=sources.boolean("no_color") or bool(environment.get("NO_COLOR")),
        token=sources.text("token") or "",
        tls_ca=_certificates(sources),
        config_path=path if exists else None,
    )


HIDDEN: Final = "***"
"""What is shown of a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What counts for one setting, as somebody wrote it, and the place that says so; of a token nothing but stars."""

    name: str
    value: str
    place: str


def explain_client_settings(flags: ClientFlags, *, environment: Mapping[str, str], home: Path) -> tuple[Origin, ...]:
    """Say of each setting what it is and where it comes from: an option, a variable, a line of the file, the default.

    Raises:
        InvalidInput: as `load_client_settings` does.

    """
    settings = load_client_settings(flags, environment=environment, home=home)
    sources = _Sources(flags=flags, environment=environment, path=settings.config_path)
    return tuple(_origin(name, settings, sources, environment) for name in SETTING_NAMES)


def _origin(name: str, settings: ClientSettings, sources: "_Sources", environment: Mapping[str, str]) -> Origin:
    value, place = sources.find(name)
    if name == "no_color" and environment.get("NO_COLOR") and str(value).lower() not in {"true", "1"}:
        return Origin(name=name, value="true", place="NO_COLOR")
    if value is None or value == "":
        default = getattr(settings, name)
        return Origin(name=name, value=_shown(default), place=_DEFAULT)
    if name == "token":
        return Origin(name=name, value=HIDDEN, place=place)
    if name == "tls_ca" and str(value).lstrip().startswith(_PEM_START):
        return Origin(name=name, value="certificates in PEM", place=place)
    return Origin(name=name, value=_shown(value), place=place)


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value or "")


def config_path_to_write(flags: ClientFlags, *, environment: Mapping[str, str], home: Path) -> Path:
    """Return the file that a changed setting belongs in: the named one, the one that is read, or the usual one."""
    path, _ = _find_file(flags, environment, home)
    return path if path is not None else home / FILE_NAMES[0]


def _find_file(flags: ClientFlags, environment: Mapping[str, str], home: Path) -> tuple[Path | None, bool]:
    """Return the file, and whether somebody asked for it by name."""
    named = flags.config or environment.get(PATH_VARIABLE)
    if named:
        return expanded(named), True
    # A home folder that is another's, as sudo may leave it, has no file for us.
    return next((home / name for name in FILE_NAMES if _is_file(home / name, otherwise=False)), None), False


def _is_file(path: Path, *, otherwise: bool) -> bool:
    """Say whether there is a file; `otherwise` where the folder does not let anybody know."""
    try:
        return path.is_file()
    except OSError:
        return otherwise


class _Sources:
    """What the sources say of a setting, and where they say it."""

    def __init__(self, *, flags: ClientFlags, environment: Mapping[str, str], path: Path | None) -> None:
        self._flags = flags
        self._environment = environment
        self._path = path
        self._entries = read_entries(path) if path else {}
        for name, entry in self._entries.items():
            if name not in SETTING_NAMES:
                raise InvalidInput(f"{path} line {entry.line}: {_unknown(name)}")

    def find(self, name: str) -> tuple[str | int | float | bool | None, str]:
        """Return the value and the place that it comes from; None where nobody says anything."""
        given: str | bool | None = getattr(self._flags, name)
        if given is not None:
            return given, f"--{name.replace('_', '-')}"
        variable = f"{_PREFIX}{name.upper()}"
        if self._environment.get(variable):
            return self._environment[variable], variable
        entry = self._entries.get(name)
        return (entry.value, f"{self._path} line {entry.line}") if entry else (None, "")

    def text(self, name: str) -> str | None:
        """Return a setting that is a text."""
        value, place = self.find(name)
        if value is not None and not isinstance(value, str):
            raise InvalidInput(f'{place}: {name} has to be a text, such as {name} = "..."')
        return value

    def boolean(self, name: str) -> bool:
        """Return a setting that is true or false; false where nobody says anything."""
        value, place = self.find(name)
        if value is None or isinstance(value, bool):
            return bool(value)
        word = str(value).strip().lower()
        if word not in _WORDS:
            raise InvalidInput(f"{place}: {name} has to be true or false")
        return _WORDS[word]


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, SETTING_NAMES, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(SETTING_NAMES)}"
    return f"the key {name} is not known: {hint}"


def _format(sources: _Sources) -> OutputFormat:
    text = sources.text("format")
    if not text:
        return OutputFormat.PRETTY
    try:
        return OutputFormat(text.strip().lower())
    except ValueError:
        place = sources.find("format")[1]
        hint = " (what 0.6 called plain is pretty with no_color)" if text.strip().lower() == "plain" else ""
        raise InvalidInput(f"{place}: {text!r} is no format: use {', '.join(OutputFormat)}{hint}") from None


def _host(sources: _Sources) -> Address:
    text = sources.text("host")
    if not text:
        return DEFAULT_HOST
    try:
        return Address.parse(text if _has_port(text) else f"{text}:{DEFAULT_PORT}")
    except ValueError as error:
        raise InvalidInput(f"{sources.find('host')[1]}: {error}") from error


def _has_port(text: str) -> bool:
    return ":" in text.rpartition("]")[2]


def _certificates(sources: _Sources) -> str | None:
    value = sources.text("tls_ca")
    if not value:
        return None
    if value.lstrip().startswith(_PEM_START):
        return value
    try:
        text = expanded(value).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no PEM text"
        raise InvalidInput(f"{sources.find('tls_ca')[1]}: {value} can't be read: {reason}") from error
    if _PEM_START not in text:
        raise InvalidInput(f"{sources.find('tls_ca')[1]}: {value} holds no certificate in PEM")
    return text
