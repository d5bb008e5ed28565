"""Having images ready: looked up, or pulled once for all who ask at the same time."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final, TypeAlias

from gofer.core.errors import FailedPrecondition, GoferError, NotFound
from gofer.engines.protocols import ImageSpec, PullPolicy, PullProgress
from gofer.engines.scheduler.docker_client import At500, ByteStream, DockerClient
from gofer.engines.scheduler.docker_convert import Json
from gofer.engines.scheduler.docker_registry import PullReport, Reference, auth_header, error_in, pull_refused

_BELIEVED: Final = timedelta(seconds=10)  # of a look at an image: tasks come in groups
_MOST_SEEN: Final = 1000

Listener: TypeAlias = Callable[[PullProgress], None]


class _LeaderLeft:
    """The outcome of a pull whose caller was cancelled: nobody pulls now."""


_LEADER_LEFT: Final = _LeaderLeft()
_Outcome: TypeAlias = GoferError | _LeaderLeft | None


class _Pull:
    """A pull that goes on: one caller leads it, the others wait for what comes of it."""

    def __init__(self, image: ImageSpec) -> None:
        self.image = image
        self.outcome: asyncio.Future[_Outcome] = asyncio.get_running_loop().create_future()
        self._listeners: list[Listener] = []

    @contextmanager
    def heard_by(self, listener: Listener) -> Iterator[None]:
        """Tell the listener how far the pull is, for the length of the block."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    def tell(self, progress: PullProgress) -> None:
        """Tell all listeners."""
        for listener in tuple(self._listeners):
            listener(progress)


class Images:
    """The images of one daemon.

    Callers who want the same image, in the same way, share one pull: the first of them leads it. When that one is
    cancelled, another takes the lead; the daemon keeps the layers that it has. Callers with other credentials wait
    for their turn, because what comes of it for one says nothing about the other.
    """

    def __init__(self, client: DockerClient, *, timeout: timedelta) -> None:
        self._client = client
        self._timeout = timeout
        self._pulls: dict[str, _Pull] = {}
        self._seen: dict[str, tuple[float, Json]] = {}  # when a look was, and what it showed

    async def ensure(self, image: ImageSpec, progress: Listener) -> None:
        """Return when the image is there; what was there a few seconds ago counts, as `create` finds out.

        Raises `NotFound`, `FailedPrecondition` or `InvalidInput` in words, `EngineUnavailable` where Docker can't be
        reached.
        """
        reference = Reference.parse(image.name)
        while image.policy is PullPolicy.ALWAYS or not await self._is_here(image):
            if image.policy is PullPolicy.NEVER:
                raise NotFound(f"the image {image.name} is not here, and is never to be pulled", image=image.name)
            if await self._pulled(image, reference, progress):
                return

    async def describe(self, name: str) -> Json:
        """Give what Docker says of an image, as the latest look showed it. Raises `NotFound`, `InvalidInput`."""
        Reference.parse(name)  # before it becomes a part of a path
        return self._recent(name) or await self._look(name)

    def forget(self, name: str) -> bool:
        """Believe no look at the image any more; tell whether one was believed."""
        return self._seen.pop(name, None) is not None

    async def _is_here(self, image: ImageSpec) -> bool:
        if self._recent(image.name) is not None:
            return True
        try:
            await self._look(image.name)
        except NotFound:
            return False
        return True

    async def _look(self, name: str) -> Json:
        self._seen.pop(name, None)
        found = await self._client.get(f"images/{name}/json")
        if len(self._seen) >= _MOST_SEEN:
            self._seen.clear()
        self._seen[name] = (asyncio.get_running_loop().time(), found)
        return found

    def _recent(self, name: str) -> Json | None:
        seen_at, found = self._seen.get(name, (0.0, None))
        return found if asyncio.get_running_loop().time() - seen_at < _BELIEVED.total_seconds() else None

    async def _pulled(self, image: ImageSpec, reference: Reference, progress: Listener) -> bool:
        """Pull, or wait for one who does; False where that came to nothing and the caller should look again."""
        pull = self._pulls.get(image.name)
        if pull is None:
            return await self._lead(image, reference, progress)
        with pull.heard_by(progress):
            outcome = await asyncio.shield(pull.outcome)
        if isinstance(outcome, _LeaderLeft) or pull.image != image:
            return False
        if outcome is not None:
            raise type(outcome)(outcome.message, image=image.name) from outcome
        return True

    async def _lead(self, image: ImageSpec, reference: Reference, progress: Listener) -> bool:
        pull = self._pulls[image.name] = _Pull(image)
        outcome: _Outcome = _LEADER_LEFT
        try:
            with pull.heard_by(progress):
                await self._pull(pull, reference)
            outcome = None
        except GoferError as error:
            outcome = error
            raise
        finally:
            self.forget(image.name)
            del self._pulls[image.name]
            pull.outcome.set_result(outcome)
        return True

    async def _pull(self, pull: _Pull, reference: Reference) -> None:
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                complaint = await self._complaint(pull, reference)
        except TimeoutError as error:
            raise FailedPrecondition(
                f"pulling the image {pull.image.name} took longer than {self._timeout} (scheduler.docker.pull_timeout)",
                image=pull.image.name,
            ) from error
        if complaint:
            raise pull_refused(pull.image, complaint)

    async def _complaint(self, pull: _Pull, reference: Reference) -> str:
        """Pull; give what went wrong in Docker's words, an empty text where nothing did."""
        credentials = pull.image.credentials
        headers = {} if credentials is None else {"X-Registry-Auth": auth_header(credentials, reference)}
        params = {"fromImage": reference.repository, "tag": reference.version}
        request = self._client.stream(
            "POST", "images/create", params=params, headers=headers, at_500=At500.ALWAYS_REFUSED
        )
        try:
            async with request as answer:
                return await _complaint_in(answer, pull)
        except (FailedPrecondition, NotFound) as error:
            return error.message


async def _complaint_in(answer: ByteStream, pull: _Pull) -> str:
    report = PullReport(pull.image.name)
    async for line in answer.lines():
        said = _json(line)
        if error := error_in(said):  # the answer's 200 came long before
            return error
        if progress := report.add(said):
            pull.tell(progress)
    return ""


def _json(line: bytes) -> Json:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
