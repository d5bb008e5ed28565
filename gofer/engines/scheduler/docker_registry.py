"""What is said to and heard from an image registry, through Docker. Pure."""

import base64
import json
import re
from dataclasses import dataclass
from typing import Final, Self

from gofer.core.errors import FailedPrecondition, GoferError, InvalidInput, NotFound
from gofer.engines.protocols import ImageSpec, PullProgress, RegistryCredentials
from gofer.engines.scheduler.docker_convert import Json, int_of, object_of, text_of

_DOCKER_HUB: Final = "https://index.docker.io/v1/"
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]|[/:@](?=[A-Za-z0-9_]))*")
_MAX_WORDS: Final = 500

_MISSING: Final = re.compile(
    r"manifest unknown|manifest for .* not found|name unknown|: not found|repository .* not found"
)
_NO_CREDENTIALS: Final = re.compile(r"no basic auth credentials")
_REFUSED: Final = re.compile(r"unauthorized|authentication required|denied|forbidden|incorrect username", re.IGNORECASE)
_UNREACHABLE: Final = re.compile(
    r"connection refused|connection reset|no such host|i/o timeout|timeout exceeded|handshake|no route to host"
    r"|server gave HTTP response|network is unreachable|certificate|Temporary failure|server misbehaving|EOF$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An image's name, taken apart as Docker's API wants it. `version` is a digest or a tag."""

    repository: str
    version: str
    registry: str

    @classmethod
    def parse(cls, name: str) -> Self:
        """Take the name apart; without a tag and a digest it means `latest`. Raises `InvalidInput`."""
        if not _NAME.fullmatch(name):
            raise InvalidInput(f"{name[:200]!r} is no image: write registry/repository:tag", image=name[:200])
        tagged, _, digest = name.partition("@")
        repository, colon, tag = tagged.rpartition(":")
        if not colon or "/" in tag:
            repository, tag = tagged, ""
        first, slash, _ = repository.partition("/")
        is_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
        return cls(repository=repository, version=digest or tag or "latest", registry=first if is_host else _DOCKER_HUB)


def auth_header(credentials: RegistryCredentials, reference: Reference) -> str:
    """Give the value of `X-Registry-Auth`."""
    answer = {
        "username": credentials.user,
        "password": credentials.password,
        "serveraddress": reference.registry,
    }
    return base64.urlsafe_b64encode(json.dumps(answer).encode()).decode("ascii")


def pull_refused(image: ImageSpec, said: str) -> GoferError:
    """Say in words why an image can't be had, from what Docker said."""
    said = said.strip().removeprefix("Docker: ")[:_MAX_WORDS]
    if _NO_CREDENTIALS.search(said):
        text = f"the registry of {image.name} asks for credentials, and the task has none: give it a registry auth"
    elif _REFUSED.search(said) and image.credentials is not None:
        text = f"the registry of {image.name} refused the credentials of the user {image.credentials.user!r}"
    elif _REFUSED.search(said):
        text = f"there is no image {image.name}, or its registry gives it only to those with credentials"
    elif _MISSING.search(said):
        return NotFound(f"there is no image {image.name} (Docker: {said})", image=image.name)
    elif _UNREACHABLE.search(said):
        text = f"the image {image.name} is not here and its registry can't be reached"
    else:
        text = f"the image {image.name} can't be pulled"
    return FailedPrecondition(f"{text} (Docker: {said})", image=image.name)


class PullReport:
    """Adds up the layers of one pull from the lines that Docker reports."""

    def __init__(self, image: str) -> None:
        self._image = image
        self._layers: dict[str, tuple[int, int]] = {}
        self._latest = PullProgress(image=image, current_bytes=0, total_bytes=0, status="")

    def add(self, line: Json) -> PullProgress | None:
        """Take one line; give how far the pull is, or None where that says nothing new."""
        layer, status = text_of(line, "id"), text_of(line, "status")
        if status == "Downloading":
            detail = object_of(line, "progressDetail")
            self._layers[layer] = (int_of(detail, "current"), int_of(detail, "total"))
        elif status in {"Download complete", "Pull complete"} and layer in self._layers:
            total = max(self._layers[layer])
            self._layers[layer] = (total, total)
        progress = PullProgress(
            image=self._image,
            current_bytes=sum(current for current, _ in self._layers.values()),
            total_bytes=sum(total for _, total in self._layers.values()),
            status=status,
        )
        if progress == self._latest:
            return None
        self._latest = progress
        return progress


def error_in(line: Json) -> str:
    """Give the error that a line of a pull's report tells of; an empty text where it tells of none."""
    return text_of(object_of(line, "errorDetail"), "message") or text_of(line, "error")
