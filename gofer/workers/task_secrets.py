"""What one attempt gets that nobody may read: found for its launch, kept for its log."""

from collections.abc import Mapping

import structlog

from gofer.core.errors import EngineUnavailable, FailedPrecondition, NoKey, NotFound, Unavailable
from gofer.core.ids import AttemptId
from gofer.core.interpolation import references
from gofer.core.masking import masked_text
from gofer.core.pipeline import Task
from gofer.core.run import Run
from gofer.core.secret import Secret
from gofer.core.variables import environment
from gofer.engines.protocols import ImageSpec
from gofer.workers.launching import Launching
from gofer_sdk.rules.text import list_faults

_log = structlog.get_logger(__name__)


class TaskSecrets:
    """The secrets of one attempt. Whatever can't be had now raises `EngineUnavailable`: asking again tries again."""

    def __init__(self, run: Run, task: Task, *, attempt: AttemptId, parts: Launching) -> None:
        self._run = run
        self._task = task
        self._attempt = attempt
        self._parts = parts
        self._secrets: tuple[Secret, ...] | None = None  # None: not known in this process
        self._injected: tuple[Secret, ...] = ()  # known to this process alone, as it is stored nowhere
        # Of most tasks, that are nobody's secret, no store is ever asked.
        self._may_have = task.registry_auth is not None or bool(references(environment(run, task)))

    async def rendered(self) -> Mapping[str, str]:
        """Give the environment for a launch. Raises `Unrenderable`."""
        try:
            found = await self._parts.rendering.render(self._run, self._task)
        except Unavailable as error:
            raise EngineUnavailable(f"the task's environment can't be had now: {error.message}") from error
        self._add(*found.secrets)
        self._injected = found.injected
        return found.environment

    def image(self) -> ImageSpec:
        """Give the image with the password of its registry. Raises `FailedPrecondition` where that can't be opened."""
        image = self._parts.image_of(self._task.image, self._task.registry_auth)
        if image.credentials is not None:
            self._add(Secret(image.credentials.password))
        return image

    async def keep(self) -> None:
        """Keep what was found, before the engine hears of it."""
        if self._secrets:
            await self._parts.masks.keep(self._attempt, self._secrets)

    async def forget(self) -> None:
        """Forget what was kept: the attempt has ended, and its log with it."""
        if self._may_have:
            await self._parts.masks.forget(self._attempt)

    async def to_mask(self) -> tuple[Secret, ...]:
        """Give what may not be read in the log, also where an earlier process has launched the attempt.

        The token that an earlier process has injected isn't among it: nobody knows it any more but the task.
        """
        if self._may_have and self._secrets is None:
            self._secrets = await self._kept()
        return (*(self._secrets or ()), *self._injected)

    def masked(self, text: str) -> str:
        """Give a text that the engine has made, without what it was given."""
        return masked_text(text, (*(self._secrets or ()), *self._injected))

    def _add(self, *secrets: Secret) -> None:
        # What an earlier try found stays: its request may have reached the engine, though the reply was lost.
        self._secrets = tuple(dict.fromkeys((*(self._secrets or ()), *secrets)))

    async def _kept(self) -> tuple[Secret, ...]:
        """Give what the task got, or what it would get now; a log that could be masked later waits."""
        try:
            return await self._parts.masks.kept(self._attempt)
        except (NotFound, FailedPrecondition) as error:
            why = error.message
        found, gone = await self._now()
        try:
            self._add(*found)
            self.image()
        except FailedPrecondition as error:
            gone = (*gone, f"the password of its registry: {error.message}")
        _log.warning(
            "what the task got is not known any more: its log is masked with what it would get now",
            attempt=str(self._attempt),
            error=why,
        )
        if gone:
            _log.warning("not all of the task's log can be masked", attempt=str(self._attempt), error=list_faults(gone))
        return self._secrets or ()

    async def _now(self) -> tuple[tuple[Secret, ...], tuple[str, ...]]:
        # Without its token: another one would take the place of the one that the task has.
        try:
            return await self._parts.rendering.secrets_now(self._run, self._task)
        except (Unavailable, NoKey) as error:
            raise EngineUnavailable(f"the task's log can't be masked now: {error.message}") from error
