"""Where the settings come from: defaults, the file, credentials, the environment; later wins, key by key."""

import difflib
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from gofer.config.address import Address
from gofer.config.keys import Key, Value, all_keys
from gofer.config.paths import settle_paths, state_folder
from gofer.config.settings import DevelopmentSettings, Settings
from gofer.core.errors import InvalidInput
from gofer_sdk.hcl import HclAttribute, HclBlock, HclBody, HclFault, HclFaults, parse_hcl

DEFAULT_PATH: Final = Path("/etc/gofer/gofer.hcl")
PATH_VARIABLE: Final = "GOFER_CONFIG_PATH"
CREDENTIALS_VARIABLE: Final = "CREDENTIALS_DIRECTORY"
"""Where systemd puts the files of LoadCredential; one that has the name of a key holds its value."""
_OTHERS_VARIABLES: Final = ("GOFER_CLI_",)
_LIKENESS: Final = 0.85  # from which a variable was meant to be a key's: tasks of another Gofer have some of their own
_EMPTY: Final = HclBody(attributes=MappingProxyType({}), blocks=())
_ABANDONED: Final = {
    ("server", "tmp_dir"): "server.tmp_dir has no effect: remove it",
    (
        "registered_extensions",
    ): "registered_extensions has no effect: install extensions with `gofer extension install`",
    ("extensions", "registered_extensions"): (
        "extensions.registered_extensions has no effect: install extensions with `gofer extension install`"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Settings, the file they came from if there was one, and what should be said about them."""

    settings: Settings
    path: Path | None
    warnings: tuple[str, ...]


def load_settings(
    *,
    config_path: Path | None,
    dev_mode: bool,
    environment: Mapping[str, str],
    home: Path,
    engines: Mapping[str, Collection[str]] = MappingProxyType({}),
    default_path: Path = DEFAULT_PATH,
) -> Loaded:
    """Read the settings of a server.

    `config_path` is the `--config` flag; without one, `default_path` is read if it is there. The variable
    GOFER_CONFIG_PATH replaces either. An empty variable counts as none. `engines` are by block, such as
    `scheduler`, the names of engines that were installed beside Gofer's own and may have blocks in it.

    Raises:
        InvalidInput: with every fault of the file and of the environment, each naming its key and the fix.

    """
    path = _find_file(config_path, environment, default_path)
    found = _Found(engines=engines)
    if path is not None:
        found.take_body(found.read_file(path), (), path=path)
    found.take_credentials(environment)
    found.take_environment(environment)
    if found.faults:
        raise InvalidInput("the settings have faults: " + "; ".join(found.faults), faults=tuple(found.faults))
    settings = settle_paths(found.over(_defaults(dev_mode=dev_mode)), private_folder=state_folder(environment, home))
    return Loaded(settings=settings, path=path, warnings=tuple(found.warnings))


def _find_file(config_path: Path | None, environment: Mapping[str, str], default_path: Path) -> Path | None:
    named = environment.get(PATH_VARIABLE, "")
    if named:
        return Path(named)
    if config_path is not None:
        return config_path
    return default_path if default_path.is_file() else None


class _Found:
    """What the sources say, gathered source by source."""

    def __init__(self, *, engines: Mapping[str, Collection[str]]) -> None:
        self.values: dict[tuple[str, ...], Value] = {}
        self.other: dict[str, dict[str, Mapping[str, object]]] = {block: {} for block in _WITH_ENGINES}
        self.warnings: list[str] = []
        self.faults: list[str] = []
        self._keys = {key.path: key for key in all_keys()}
        self._blocks = {path[:length] for path in self._keys for length in range(1, len(path))}
        self._engines = engines

    def over(self, settings: Settings) -> Settings:
        """Give `settings` with what was found in place of what they say."""
        other = {block: MappingProxyType(blocks) for block, blocks in self.other.items()}
        settings = replace(
            settings,
            scheduler=replace(settings.scheduler, other=other["scheduler"]),
            object_store=replace(settings.object_store, other=other["object_store"]),
            secret_store=replace(settings.secret_store, other=other["secret_store"]),
        )
        result = _with_values(settings, self.values, ())
        if not isinstance(result, Settings):
            raise TypeError(f"{result!r} are no settings")
        return result

    def read_file(self, path: Path) -> HclBody:
        try:
            return parse_hcl(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            self.faults.append(f"there is no configuration file {path}: name another, or leave it out")
        except OSError as error:
            self.faults.append(f"the configuration file {path} can't be read: {error.strerror}")
        except UnicodeDecodeError:
            self.faults.append(f"the configuration file {path} can't be read: it is not UTF-8")
        except HclFaults as error:
            self.faults.extend(f"{path} line {each.line}: {each.text}" for each in error.faults)
            return error.readable
        except HclFault as error:
            self.faults.append(f"the configuration file {path} can't be read: {error}")
        return _EMPTY

    def take_credentials(self, environment: Mapping[str, str]) -> None:
        folder = environment.get(CREDENTIALS_VARIABLE, "")
        if folder and not self._can_enter(folder):
            return
        for key in self._keys.values() if folder else ():
            path = Path(folder, key.name)
            try:
                text = path.read_text(encoding="utf-8").removesuffix("\n")
            except FileNotFoundError:
                continue
            except (OSError, UnicodeDecodeError) as error:
                self.faults.append(f"the credential {path} can't be read: {error}")
            else:
                self._take(key, text, where=str(path))

    def _can_enter(self, folder: str) -> bool:
        """Say whether there is a folder of credentials; one that can't be entered is one fault, not one for each."""
        try:
            os.stat(f"{folder}/.")  # noqa: PTH116 (Path drops the dot, which asks for a folder to go into)
        except FileNotFoundError:
            return False
        except OSError as error:
            self.faults.append(f"the credentials in {folder} can't be read ({CREDENTIALS_VARIABLE}): {error.strerror}")
            return False
        return True

    def take_environment(self, environment: Mapping[str, str]) -> None:
        variables = {key.variable: key for key in self._keys.values()}
        for name, key in variables.items():
            text = environment.get(name, "")
            if text:
                self._take(key, text, where=name)
        blocks = tuple(f"GOFER_{'__'.join(path).upper()}__" for path in self._blocks)
        for name in sorted(environment.keys() - variables.keys()):
            if not name.startswith("GOFER_") or name.startswith(_OTHERS_VARIABLES) or name == PATH_VARIABLE:
                continue
            in_block = name.startswith(blocks)
            close = difflib.get_close_matches(name, variables, n=1, cutoff=0 if in_block else _LIKENESS)
            if close:
                self.faults.append(f"the variable {name} is not known; did you mean {close[0]}?")

    def take_body(self, body: HclBody, prefix: tuple[str, ...], *, path: Path) -> None:
        for attribute in body.attributes.values():
            self._take_attribute(attribute, (*prefix, attribute.name), where=f"{path} line {attribute.line}")
        seen: dict[str, int] = {}
        for block in body.blocks:
            where = f"{path} line {block.line}"
            if block.name in seen and (*prefix, block.name) not in _ABANDONED:
                self.faults.append(f"{where}: {block.name} is given twice, first in line {seen[block.name]}")
            seen[block.name] = block.line
            self._take_block(block, (*prefix, block.name), path=path)

    def _take_attribute(self, attribute: HclAttribute, place: tuple[str, ...], *, where: str) -> None:
        key = self._keys.get(place)
        if key is not None:
            self._take(key, attribute.value, where=f"{where}: {key.name}")
        elif place in _ABANDONED:
            self.warnings.append(f"{where}: {_ABANDONED[place]}")
        elif place in self._blocks:
            name = attribute.name
            self.faults.append(f"{where}: {name} is a block: write {name} {{ ... }} without the equals sign")
        else:
            self.faults.append(f"{where}: {self._not_known(place)}")

    def _take_block(self, block: HclBlock, place: tuple[str, ...], *, path: Path) -> None:
        where = f"{path} line {block.line}"
        if place in _ABANDONED:
            self.warnings.append(f"{where}: {_ABANDONED[place]}")
        elif block.labels and place in self._blocks:
            self.faults.append(f"{where}: the block {block.name} has no label: remove {block.labels[0]!r}")
        elif place in self._blocks:
            self.take_body(block.body, place, path=path)
        elif len(place) > 1 and block.name in self._engines.get(".".join(place[:-1]), ()):
            self.other[place[0]][block.name] = _plain(block.body)
        elif place in self._keys:
            self.faults.append(f"{where}: {block.name} is no block: write {block.name} = ...")
        else:
            self.faults.append(f"{where}: {self._not_known(place)}")

    def _take(self, key: Key, value: object, *, where: str) -> None:
        try:
            self.values[key.path] = key.read(value)
        except ValueError as error:
            self.faults.append(f"{where}: {error}")

    def _not_known(self, place: tuple[str, ...]) -> str:
        prefix = place[:-1]
        known = sorted({path[len(prefix)] for path in self._keys if path[: len(prefix)] == prefix})
        known = sorted({*known, *self._engines.get(".".join(prefix), ())})
        close = difflib.get_close_matches(place[-1], known, n=1)
        fix = f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"
        return f"{'.'.join(place)} is not known; {fix}"


_WITH_ENGINES: Final = ("scheduler", "object_store", "secret_store")


def _plain(body: HclBody) -> Mapping[str, object]:
    values: dict[str, object] = {name: attribute.value for name, attribute in body.attributes.items()}
    values.update({block.name: _plain(block.body) for block in body.blocks})
    return MappingProxyType(values)


def _defaults(*, dev_mode: bool) -> Settings:
    if not dev_mode:
        return Settings()
    everything = DevelopmentSettings(
        pretty_logging=True,
        bypass_auth=True,
        use_localhost_tls=True,
        default_encryption=True,
        extension_skip_tls_verify=True,
    )
    return Settings(dev_mode=True, development=everything)


def _with_values(block: object, values: Mapping[tuple[str, ...], Value], prefix: tuple[str, ...]) -> object:
    """Give `block` with the values of the keys below `prefix`; each was read as its key's own kind."""
    if not is_dataclass(block) or isinstance(block, type):
        raise TypeError(f"{block!r} is no block of settings")
    changes: dict[str, object] = {}
    for each in fields(block):
        place = (*prefix, each.name)
        value = getattr(block, each.name)
        if place in values:
            changes[each.name] = values[place]
        elif is_dataclass(value) and not isinstance(value, Address):
            changes[each.name] = _with_values(value, values, place)
    return replace(block, **changes)
