"""Tasks that get secrets: what is masked, what is kept for later, and what a restart changes."""

import pytest

from gofer.core.errors import EngineUnavailable
from gofer.core.events import TaskRunStarted
from gofer.core.ids import BlobKey, RunKey, TaskId
from gofer.core.pipeline import Task
from gofer.core.run import ReasonCode, RunState
from gofer.core.secret import Secret
from gofer.engines.protocols import ContainerState
from gofer.engines.secret_store.memory import MemorySecretStore
from gofer.sealing import Sealer, SealingKey
from gofer.services.masks import NeededBlobs
from gofer.services.runs import Target
from gofer.services.secrets import PutSecret
from tests.factories import KEY, make_task
from tests.fakes.waiting import until
from tests.unit.workers.conftest import CALLER, World, next_event

TARGET = Target(namespace="", pipeline=KEY.pipeline)
SECRET = "hunter22-hunter22"


def printing(**script: str) -> Task:
    """Make a task that prints the secret `db`."""
    variables = {f"GOFER_MEMORY_{key.upper()}": value for key, value in script.items()}
    return make_task("hello", variables={"GOFER_MEMORY_LOG": "secret{{db}}", **variables})


async def put(world: World, value: str, *, key: str = "db") -> None:
    await world.secrets.put(CALLER, TARGET, PutSecret(key=key, value=Secret(value), force=True))


async def started(world: World) -> RunKey:
    """Start a run, and wait until its task runs."""
    with world.bus.subscribe(TaskRunStarted) as events:
        run = await world.start_run()
        await next_event(events, TaskRunStarted)
    return run


async def kept(world: World) -> int:
    return len(await world.blobs.all())


async def sweep(world: World) -> int:
    return await world.blobs.sweep(NeededBlobs(database=world.database, instance=world.parts.instance))


async def test_what_a_task_got_is_kept_until_its_end_and_no_longer(world: World) -> None:
    await world.register(printing(hold="true"))
    await put(world, SECRET)
    run = await started(world)

    assert 2 == await kept(world)
    await world.cancel(run, force=True)
    await world.until_over(run)
    await world.until_nothing_is_left()

    assert 1 == await kept(world)
    assert b"***\n" == await world.log(run, "hello")


async def test_after_a_restart_the_value_that_the_task_got_is_masked_and_not_the_new_one(world: World) -> None:
    """The task runs, its secret is replaced, and the log has to be read from the engine again."""
    await world.register(printing(hold="true"))
    await put(world, SECRET)
    run = await started(world)
    await world.stop()
    log = world.logs.path(run.task(TaskId("hello")))
    for path in (log, log.with_name(f"{log.name}.index")):
        path.unlink(missing_ok=True)
    await put(world, "another-value")
    assert 0 == await sweep(world)

    await world.start()
    await world.cancel(run, force=True)
    await world.until_over(run)

    assert b"***\n" == await world.log(run, "hello")


async def test_what_is_kept_for_nobody_is_swept_at_the_start(world: World) -> None:
    await world.register(printing())
    await put(world, SECRET)
    await world.blobs.put(Secret("of a put that was interrupted before its record"))
    await world.start_run()

    await world.stop()
    swept = await sweep(world)
    await world.start()

    assert swept >= 1
    assert await kept(world) >= 1
    assert (await world.secrets.get(CALLER, TARGET, "db", with_value=True)).value == Secret(SECRET)


async def test_an_engine_that_quotes_what_it_was_given_does_not_show_it(world: World) -> None:
    await world.register(
        make_task("hello", variables={"GOFER_MEMORY_FAIL_START": "secret{{db}}", "GOFER_MEMORY_LOG": "x"})
    )
    await put(world, f"no such command: {SECRET}")

    run = await world.start_run()
    (ended,) = await world.until_over(run)

    assert RunState.FAILED is ended.state
    reason = (await world.tasks(run))[TaskId("hello")].reason
    assert reason is not None
    assert (ReasonCode.LAUNCH_FAILED, "***") == (reason.code, reason.description)


async def test_a_value_is_looked_up_at_each_launch(world: World) -> None:
    await world.register(printing())
    await put(world, SECRET)
    first = await world.start_run()
    await world.until_over(first)
    await put(world, "abc", key="db")
    second = await world.start_run()
    await world.until_over(second)

    assert (b"***\n", b"abc\n") == (await world.log(first, "hello"), await world.log(second, "hello"))


class Failing(MemorySecretStore):
    """Gives nothing while it is away."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = False

    async def get(self, key: BlobKey) -> bytes:
        if self.is_away:
            raise EngineUnavailable("the secret store is away")
        return await super().get(key)


def printing_two() -> Task:
    """Make a task that prints two secrets."""
    script = {"GOFER_MEMORY_LOG": "secret{{db}}", "GOFER_MEMORY_LOG_STDERR": "secret{{other}}"}
    return make_task("hello", variables={"GOFER_MEMORY_HOLD": "true", **script})


async def stopped_without_log(world: World, *, without_masks: bool = True) -> RunKey:
    """Start a run of a task that goes on while the server is stopped, and lose its log and what it got."""
    run = await started(world)
    await world.stop()
    log = world.logs.path(run.task(TaskId("hello")))
    for path in (log, log.with_name(f"{log.name}.index")):
        path.unlink(missing_ok=True)
    if without_masks:
        attempt = (await world.tasks(run))[TaskId("hello")].attempt_id(world.parts.instance)
        await world.parts.masks.forget(attempt)
    return run


async def until_it_waits(world: World, why: str) -> None:
    async def waits() -> bool:
        return any(why in note for note in world.parts.troubles.notes())

    await until(waits)


@pytest.mark.parametrize("without_masks", [True, False])
async def test_after_a_restart_a_log_waits_while_the_secret_store_is_away(world: World, *, without_masks: bool) -> None:
    world.secret_store = store = Failing()
    await world.stop()
    await world.start()
    await world.register(printing(hold="true"))
    await put(world, SECRET)
    run = await stopped_without_log(world, without_masks=without_masks)

    store.is_away = True
    await world.start()
    await until_it_waits(world, "the secret store is away")
    await world.cancel(run, force=True)
    await until(lambda: _has_ended(world))
    assert not world.logs.path(run.task(TaskId("hello"))).exists()
    store.is_away = False
    await world.until_over(run)

    assert b"***\n" == await world.log(run, "hello")
    assert () == world.parts.troubles.notes()


async def test_after_a_restart_a_log_waits_while_no_key_opens_what_its_task_got(world: World) -> None:
    await world.register(printing(hold="true"))
    await put(world, SECRET)
    run = await stopped_without_log(world, without_masks=False)

    world.sealer = Sealer(SealingKey(bytes([1] * 32)))
    await world.start()
    await until_it_waits(world, "encryption keys")
    await world.stop()
    assert not world.logs.path(run.task(TaskId("hello"))).exists()
    world.sealer = Sealer(SealingKey(bytes([1] * 32)), previous=(SealingKey(bytes(32)),))
    await world.start()
    await world.cancel(run, force=True)
    await world.until_over(run)

    assert b"***\n" == await world.log(run, "hello")


async def test_what_is_gone_keeps_no_other_secret_from_being_masked(world: World) -> None:
    await world.register(printing_two())
    await put(world, "gone-for-good")
    await put(world, SECRET, key="other")
    run = await stopped_without_log(world)
    await world.secrets.delete(CALLER, TARGET, "db")

    await world.start()
    await world.cancel(run, force=True)
    await world.until_over(run)

    log = await world.log(run, "hello")
    assert b"gone-for-good" in log
    assert b"***" in log
    assert SECRET.encode() not in log


async def _has_ended(world: World) -> bool:
    (attempt,) = await world.owned()
    found = await world.engine.find(attempt)
    return found is not None and found.status.state is ContainerState.EXITED
