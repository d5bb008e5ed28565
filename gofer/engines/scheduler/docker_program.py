"""Which program a container runs, and whether an init may be put before it.

With an init before it a program ends at SIGTERM without a handler of its own, which it wouldn't as the first process.
Two kinds must not have one: programs that are an init themselves and insist on being the first process, and programs
that can't be run, because then the init starts, the container counts as started, and the refusal is lost in its output.
"""

import base64
import binascii
import json
import posixpath
from dataclasses import dataclass
from typing import Final

from gofer.engines.protocols import ContainerHandle, ContainerSpec
from gofer.engines.scheduler.docker_client import DockerClient
from gofer.engines.scheduler.docker_convert import Json, int_of, object_of, text_of, texts_of

_INITS: Final = frozenset(
    {"init", "systemd", "tini", "tini-static", "dumb-init", "docker-init", "catatonit", "s6-svscan", "runit", "my_init"}
)
_DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MOST_VERDICTS: Final = 1000
_STAT_HEADER: Final = "X-Docker-Container-Path-Stat"
_EXECUTE_BITS: Final = 0o111
# Go's bits of a file's mode
_IS_FOLDER: Final = 1 << 31
_IS_LINK: Final = 1 << 27


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """The program of a container, by the content of its image: where it may lie, in the order to look."""

    image_id: str
    places: tuple[str, ...]

    @property
    def is_init(self) -> bool:
        """Whether its name says that it is an init itself."""
        return any(posixpath.basename(place) in _INITS for place in self.places)


def program_of(spec: ContainerSpec, image: Json) -> Program:
    """Tell what would run, from what Docker says of the image."""
    config = object_of(image, "Config")
    words = spec.entrypoint or texts_of(config, "Entrypoint") or spec.command or texts_of(config, "Cmd")
    name = words[0] if words else ""
    return _program(name, config, image_id=text_of(image, "Id"), path=spec.environment.get("PATH"))


def program_inspected(container: Json) -> Program:
    """Tell what would run, from what Docker says of the container."""
    return _program(text_of(container, "Path"), object_of(container, "Config"), image_id=text_of(container, "Image"))


def _program(name: str, config: Json, *, image_id: str, path: str | None = None) -> Program:
    given = dict(entry.partition("=")[::2] for entry in texts_of(config, "Env"))
    searched = path if path is not None else given.get("PATH", _DEFAULT_PATH)
    here = text_of(config, "WorkingDir") or "/"
    folders = [here] if "/" in name else [folder or here for folder in searched.split(":")]
    places = tuple(posixpath.normpath(posixpath.join("/", here, folder, name)) for folder in folders)
    return Program(image_id=image_id, places=places if name else ())


class Programs:
    """Looks once at each program of each image."""

    def __init__(self, client: DockerClient) -> None:
        self._client = client
        self._verdicts: dict[Program, bool] = {}

    def known(self, program: Program) -> bool | None:
        """Tell whether the program can be run, if that was looked at."""
        return self._verdicts.get(program)

    async def can_run(self, program: Program, handle: ContainerHandle) -> bool:
        """Tell whether the program can be run, looked at in this container where nobody has looked before."""
        known = self.known(program)
        return await self.look(program, handle) if known is None else known

    async def look(self, program: Program, handle: ContainerHandle) -> bool:
        """Look in a container that was made of the image whether the program is there and executable."""
        found = False
        for place in program.places:
            if await self._is_executable(handle, place):
                found = True
                break
        if len(self._verdicts) >= _MOST_VERDICTS:
            self._verdicts.clear()
        self._verdicts[program] = found
        return found

    async def _is_executable(self, handle: ContainerHandle, place: str) -> bool:
        stat = await self._stat(handle, place)
        if int_of(stat, "mode") & _IS_LINK:
            stat = await self._stat(handle, text_of(stat, "linkTarget"))
        mode = int_of(stat, "mode")
        return not mode & _IS_FOLDER and bool(mode & _EXECUTE_BITS)

    async def _stat(self, handle: ContainerHandle, place: str) -> Json:
        headers = await self._client.head(f"containers/{handle}/archive", {"path": place})
        try:
            stat = json.loads(base64.b64decode(headers.get(_STAT_HEADER, "")))
        except (ValueError, binascii.Error):
            return {}
        return stat if isinstance(stat, dict) else {}
