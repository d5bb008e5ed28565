"""A caller that goes away, at each await of each method: the wait ends, and the contract holds afterwards."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TypeVar

import pytest

from gofer.core.errors import NotFound
from gofer.engines.protocols import ContainerHandle, ContainerSpec, ContainerState, ExitResult, ImageSpec
from tests.conformance.cases import HOLDING, NO_GRACE, STUBBORN, Behaviour, EngineUnderTest, out

T = TypeVar("T")

HELLO = Behaviour(output=(out(b"hello\n"),), exit_code=6)
ENDED_OUTCOMES = [(6, b"hello\n"), (137, b"")]  # the latter where a removal had begun
STOPPED_OUTCOMES = [(137, b""), (137, b"ready\n"), (143, b"ready\n"), (143, b"")]
MOST_AWAITS = 40
LONG_GRACE = timedelta(minutes=1)

Method = Callable[[EngineUnderTest, ContainerSpec, ContainerHandle], Awaitable[object]]


class _CancelledAt(Awaitable[T]):
    """Awaits the work and cancels the current task when it is suspended for the n-th time (from 0)."""

    def __init__(self, work: Coroutine[None, None, T], suspension: int) -> None:
        self._work = work
        self._left = suspension

    def __await__(self) -> Generator[object, None, T]:
        steps = self._work.__await__()
        task = asyncio.current_task()
        assert task is not None
        advance: Callable[[], object] = partial(next, steps)
        while True:
            try:
                waiting = advance()
            except StopIteration as end:
                result: T = end.value
                return result
            if self._left == 0:
                asyncio.get_running_loop().call_soon(task.cancel)
            self._left -= 1
            try:
                yield waiting
            except BaseException as error:  # noqa: BLE001 - passed on to the work, whatever it is
                advance = partial(steps.throw, error)
            else:
                advance = partial(next, steps)


async def cancelled_at(suspension: int, work: Coroutine[None, None, object]) -> bool:
    """Run the work in a task, cancelled at that suspension; tell whether it came so far."""

    async def run() -> None:
        await _CancelledAt(work, suspension)

    task = asyncio.create_task(run(), name=f"cancelled at await {suspension}")
    await asyncio.wait({task})
    if task.cancelled():
        return True
    task.result()
    return False


async def each_await(
    tested: EngineUnderTest, prepare: Callable[[], Awaitable[tuple[ContainerSpec, ContainerHandle]]], method: Method
) -> None:
    """Cancel the method at its first, second, ... await, each on a container of its own, and check that container."""
    for suspension in range(MOST_AWAITS):
        spec, handle = await prepare()

        async def call(spec: ContainerSpec = spec, handle: ContainerHandle = handle) -> None:
            await method(tested, spec, handle)

        was_cancelled = await cancelled_at(suspension, call())
        await finish(tested, spec)
        if not was_cancelled:
            return
    raise AssertionError(f"it had {MOST_AWAITS} awaits and more")


async def finish(tested: EngineUnderTest, spec: ContainerSpec) -> None:
    """Take the attempt from wherever it stands to its end, as a server does; it must have run once at most."""
    stopped = spec.environment.get("STOP") == "yes"
    while True:
        found = await tested.engine.find(spec.attempt)
        handle = await tested.engine.create(spec) if found is None else found.handle
        try:
            result, written = await _run_to_end(tested, handle, stop=stopped)
        except NotFound:  # a removal whose caller left was done meanwhile
            continue
        break
    await tested.engine.remove(handle)

    assert await tested.engine.find(spec.attempt) is None
    assert (result.exit_code, written) in (STOPPED_OUTCOMES if stopped else ENDED_OUTCOMES)


async def _run_to_end(tested: EngineUnderTest, handle: ContainerHandle, *, stop: bool) -> tuple[ExitResult, bytes]:
    await tested.engine.start(handle)
    status = await tested.engine.inspect(handle)
    assert status.state is not ContainerState.CREATED
    if stop:
        await tested.engine.stop(handle, grace=NO_GRACE)
    result = await tested.engine.wait(handle)
    return result, await tested.output(handle)


def _that_ends(tested: EngineUnderTest) -> ContainerSpec:
    return tested.spec(HELLO)


def _that_holds(tested: EngineUnderTest, behaviour: Behaviour = HOLDING) -> ContainerSpec:
    spec = tested.spec(behaviour)
    return replace(spec, environment={**spec.environment, "STOP": "yes"})


async def _enter_logs(tested: EngineUnderTest, _: ContainerSpec, handle: ContainerHandle) -> None:
    async with tested.engine.logs(handle):
        pass


async def _read_logs(tested: EngineUnderTest, _: ContainerSpec, handle: ContainerHandle) -> None:
    await tested.output(handle)


FRESH: dict[str, Method] = {
    "find": lambda tested, spec, _: tested.engine.find(spec.attempt),
    "create": lambda tested, spec, _: tested.engine.create(spec),
    "start": lambda tested, _, handle: tested.engine.start(handle),
    "inspect": lambda tested, _, handle: tested.engine.inspect(handle),
    "logs": _enter_logs,
    "remove": lambda tested, _, handle: tested.engine.remove(handle),
    "ensure_image": lambda tested, spec, _: tested.engine.ensure_image(
        ImageSpec(name=tested.case.image), progress=lambda _: None
    ),
}
RUNNING: dict[str, Method] = {
    "start": lambda tested, _, handle: tested.engine.start(handle),
    "stop": lambda tested, _, handle: tested.engine.stop(handle, grace=LONG_GRACE),
    "kill": lambda tested, _, handle: tested.engine.stop(handle, grace=NO_GRACE),
    "inspect": lambda tested, _, handle: tested.engine.inspect(handle),
    "logs": _enter_logs,
}
ENDED: dict[str, Method] = {
    "wait": lambda tested, _, handle: tested.engine.wait(handle),
    "read": _read_logs,
    "stop": lambda tested, _, handle: tested.engine.stop(handle, grace=LONG_GRACE),
    "remove": lambda tested, _, handle: tested.engine.remove(handle),
}


@pytest.mark.parametrize("method", FRESH)
async def test_of_a_created_container(tested: EngineUnderTest, method: str) -> None:
    async def prepare() -> tuple[ContainerSpec, ContainerHandle]:
        spec = _that_ends(tested)
        return spec, await tested.engine.create(spec)

    await each_await(tested, prepare, FRESH[method])


async def test_of_the_creation_of_a_new_one(tested: EngineUnderTest) -> None:
    async def prepare() -> tuple[ContainerSpec, ContainerHandle]:
        return _that_ends(tested), ContainerHandle("")

    await each_await(tested, prepare, FRESH["create"])


async def test_of_the_stop_of_a_created_one(tested: EngineUnderTest) -> None:
    async def prepare() -> tuple[ContainerSpec, ContainerHandle]:
        spec = _that_holds(tested)
        return spec, await tested.engine.create(spec)

    await each_await(tested, prepare, RUNNING["stop"])


@pytest.mark.parametrize("method", RUNNING)
async def test_of_a_running_container(tested: EngineUnderTest, method: str) -> None:
    async def prepare() -> tuple[ContainerSpec, ContainerHandle]:
        spec = _that_holds(tested)
        return spec, await tested.started(spec)

    await each_await(tested, prepare, RUNNING[method])


@pytest.mark.parametrize("method", ["wait", "read"])
async def test_of_a_wait_that_takes_long(tested: EngineUnderTest, method: str) -> None:
    """The last await of these never ends by itself: the cancel must end it, and nothing else."""
    spec = _that_holds(tested, STUBBORN)
    handle = await tested.ready(spec)

    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(_ignoring_cancel(ENDED[method](tested, spec, handle)))
        for _ in range(50):
            await asyncio.sleep(0.001)
        waiting.cancel()

    assert (await tested.engine.inspect(handle)).state is ContainerState.RUNNING
    await finish(tested, spec)


@pytest.mark.parametrize("method", ENDED)
async def test_of_an_ended_container(tested: EngineUnderTest, method: str) -> None:
    async def prepare() -> tuple[ContainerSpec, ContainerHandle]:
        spec = _that_ends(tested)
        handle = await tested.started(spec)
        await tested.engine.wait(handle)
        return spec, handle

    await each_await(tested, prepare, ENDED[method])


async def _ignoring_cancel(work: Awaitable[object]) -> None:
    await work
