"""A memory engine with faults that its contract does not allow for, and with calls that take their time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

from gofer.clock import SystemClock
from gofer.core.ids import AttemptId, InstanceId
from gofer.engines.protocols import ContainerHandle, ContainerSpec, ExitResult, Found, ImageSpec, Owned, PullProgress
from gofer.engines.scheduler.memory import MemoryEngine


class FaultyEngine(MemoryEngine):
    """Raises what `faults` holds for the name of a call: so many times, or always where that is 0."""

    def __init__(self) -> None:
        super().__init__(clock=SystemClock())
        self.faults: dict[str, tuple[Exception, int]] = {}
        self._specs: dict[AttemptId, ContainerSpec] = {}
        self.calls: list[str] = []
        self.giving_up = 0  # how many pulls have ended, or are about to
        self.let_pull: asyncio.Event | None = None  # a pull lasts until this is set
        self.let_give_up: asyncio.Event | None = None  # a cancelled pull lasts until this is set

    def fail(self, call: str, error: Exception, *, times: int = 0) -> None:
        self.faults[call] = (error, times)

    def spec_of(self, attempt: AttemptId) -> ContainerSpec:
        """Give what the attempt's container was made from."""
        return self._specs[attempt]

    def _called(self, call: str) -> None:
        self.calls.append(call)
        if call not in self.faults:
            return
        error, times = self.faults[call]
        if times == 1:
            del self.faults[call]
        elif times > 1:
            self.faults[call] = (error, times - 1)
        raise error

    async def find(self, attempt: AttemptId) -> Found | None:
        self._called("find")
        return await super().find(attempt)

    async def ensure_image(self, image: ImageSpec, *, progress: Callable[[PullProgress], None]) -> None:
        self._called("ensure_image")
        try:
            if self.let_pull is not None:
                await self.let_pull.wait()
        finally:
            self.giving_up += 1
            if self.let_give_up is not None:
                await self.let_give_up.wait()
        await super().ensure_image(image, progress=progress)

    async def create(self, spec: ContainerSpec) -> ContainerHandle:
        self._called("create")
        self._specs[spec.attempt] = spec
        return await super().create(spec)

    async def start(self, handle: ContainerHandle) -> None:
        self._called("start")
        await super().start(handle)

    async def wait(self, handle: ContainerHandle) -> ExitResult:
        self._called("wait")
        return await super().wait(handle)

    async def stop(self, handle: ContainerHandle, *, grace: timedelta) -> None:
        self._called("stop")
        await super().stop(handle, grace=grace)

    async def remove(self, handle: ContainerHandle) -> None:
        self._called("remove")
        await super().remove(handle)

    async def owned(self, instance: InstanceId) -> AsyncIterator[Owned]:
        self._called("owned")
        async for each in super().owned(instance):
            yield each
