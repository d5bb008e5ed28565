"""What is due to go, as users of the API see it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from gofer.app import Probes, running_app
from gofer.clock import SystemClock
from gofer.config.settings import Settings
from gofer.core.access import Token, TokenId, TokenKind, parse_patterns
from gofer.core.events import NamespaceCreated
from gofer.core.ids import NamespaceId
from gofer.sealing import hash_token
from gofer.services.pruning import PruneStep
from gofer.sqlite import open_database
from gofer.storage.unit import Unit
from gofer_sdk._proto import proto
from tests.fakes.waiting import until
from tests.service.secured import channel_of, secured
from tests.service.wire import CLI, ended, register, start, task, up

LOG = {"GOFER_MEMORY_LOG": "a line"}
KEEP = 2


class Steps:
    """What the prune jobs have done, and waiting for it."""

    def __init__(self) -> None:
        self._done: Counter[PruneStep] = Counter()
        self._news = asyncio.Event()

    def __call__(self, step: PruneStep) -> None:
        self._done[step] += 1
        self._news.set()

    async def until(self, step: PruneStep) -> None:
        """Wait for the first piece of it; what is more than one thing may take several."""
        while not self._done[step]:
            self._news.clear()
            await self._news.wait()


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[tuple[proto.GoferStub, Steps]]:
    steps = Steps()
    async with running_app(settings, probes=Probes(pruned=steps)) as app, channel_of(app) as channel:
        yield proto.GoferStub(channel), steps


async def events(stub: proto.GoferStub, query: proto.ListEventsRequest | None = None) -> list[tuple[int, str]]:
    found = [reply.event async for reply in stub.list_events(query or proto.ListEventsRequest())]
    return [(event.id, event.type) for event in found if event is not None]


async def store(settings: Settings, function: Callable[[Unit], object]) -> None:
    """Change what a server that was stopped has left: one that runs might prune it at any moment."""
    async with open_database(
        settings.server.storage_path, migrations="gofer.storage.migrations", make_unit=Unit, clock=SystemClock()
    ) as database:
        await database.write(function)


async def append_old_events(settings: Settings, count: int) -> None:
    """Store events of a year ago."""
    long_ago = datetime.now(UTC) - timedelta(days=365)
    event = NamespaceCreated(namespace_id=NamespaceId("default"))
    await store(settings, lambda unit: [unit.journal.append(event, long_ago) for _ in range(count)])


async def put_run_object(stub: proto.GoferStub, run: int) -> None:
    await stub.put_run_object(proto.PutRunObjectRequest(pipeline_id="simple", run_id=run, key="kept", content=b"x"))


async def logs_of(stub: proto.GoferStub, run: int) -> list[str]:
    query = proto.GetTaskRunLogsRequest(pipeline_id="simple", run_id=run, id="hello")
    return [reply.log_line async for reply in stub.get_task_run_logs(query)]


async def task_run(stub: proto.GoferStub, run: int) -> proto.TaskRun:
    reply = await stub.get_task_run(proto.GetTaskRunRequest(pipeline_id="simple", run_id=run, id="hello"))
    assert reply.task_run is not None
    return reply.task_run


async def test_logs_and_objects_of_a_run_go_when_newer_runs_take_their_place(settings: Settings) -> None:
    store = replace(settings.object_store, run_object_expiry=KEEP)
    async with serving(replace(settings, task_run_log_expiry=KEEP, object_store=store)) as (stub, steps):
        await up(stub, task("hello", variables=LOG))
        for run in (1, 2, 3):
            await ended(stub, await start(stub))
            await put_run_object(stub, run)
        await steps.until(PruneStep.LOGS)
        await steps.until(PruneStep.RUN_OBJECTS)

        first, second = await task_run(stub, 1), await task_run(stub, 2)
        assert (True, True, False) == (first.logs_expired, first.logs_removed, second.logs_expired)
        assert ["a line"] == await logs_of(stub, 2)
        with pytest.raises(GRPCError) as expired:
            await logs_of(stub, 1)
        assert expired.value.status is Status.FAILED_PRECONDITION
        runs = (await stub.list_runs(proto.ListRunsRequest(pipeline_id="simple"))).runs
        assert {1: True, 2: False, 3: False} == {run.id: run.store_objects_expired for run in runs}
        told = [reply.event async for reply in stub.list_events(proto.ListEventsRequest(kinds=["RUN_OBJECTS_EXPIRED"]))]
        assert ['{"namespace_id":"default","pipeline_id":"simple","run_id":1}'] == [
            event.details for event in told if event is not None
        ]
        kept = await stub.get_run_object(proto.GetRunObjectRequest(pipeline_id="simple", run_id=2, key="kept"))
        assert b"x" == kept.content


async def test_a_run_that_goes_on_keeps_its_log_and_its_objects(settings: Settings) -> None:
    store = replace(settings.object_store, run_object_expiry=1)
    async with serving(replace(settings, task_run_log_expiry=1, object_store=store)) as (stub, steps):
        await up(stub, task("hello", variables=LOG))
        held = await start(stub, variables={"GOFER_MEMORY_HOLD": "true"})
        await put_run_object(stub, held.id)
        for _ in range(2):
            await ended(stub, await start(stub))
        await steps.until(PruneStep.RUN_OBJECTS)  # of the second run

        kept = await stub.get_run_object(proto.GetRunObjectRequest(pipeline_id="simple", run_id=1, key="kept"))
        assert b"x" == kept.content
        assert not (await task_run(stub, 1)).logs_expired
        await stub.cancel_run(proto.CancelRunRequest(pipeline_id="simple", run_id=1, force=True))

        async def is_expired() -> bool:
            return (await task_run(stub, 1)).logs_expired

        await until(is_expired)


async def test_old_events_go_and_a_cursor_among_them_goes_on_with_the_oldest_that_is_left(settings: Settings) -> None:
    async with serving(settings):
        pass
    await append_old_events(settings, 250)
    async with serving(settings) as (stub, _):

        async def are_gone() -> bool:
            return len(await events(stub)) == 1

        await until(are_gone)  # not all in one piece
        await register(stub)

        assert (1, "NAMESPACE_CREATED") == (await events(stub))[0]
        rest = [(252, "PIPELINE_REGISTERED"), (253, "PIPELINE_CONFIG_REGISTERED")]
        assert rest == await events(stub, proto.ListEventsRequest(after_id=1))
        assert rest == await events(stub, proto.ListEventsRequest(after_id=100)), "its own event is gone"
        assert rest == await events(stub, proto.ListEventsRequest(after_id=100, follow=True, limit=2))
        assert [rest[1], rest[0], (1, "NAMESPACE_CREATED")] == await events(stub, proto.ListEventsRequest(reverse=True))
        with pytest.raises(GRPCError) as gone:
            await stub.get_event(proto.GetEventRequest(id=100))
        assert gone.value.status is Status.NOT_FOUND
        assert "pruned" in (gone.value.message or "")


async def test_who_follows_hears_of_all_that_happens_while_events_go(settings: Settings) -> None:
    async with serving(settings) as (stub, _):
        await register(stub)
    await append_old_events(settings, 5_000)
    async with serving(settings) as (stub, steps):
        found = [
            reply.event.id
            async for reply in stub.list_events(
                proto.ListEventsRequest(follow=True, kinds=["PIPELINE_CONFIG_REGISTERED"], limit=1)
            )
            if reply.event is not None
        ]
        assert [3] == found
        await register(stub)
        assert [(5004, "PIPELINE_CONFIG_REGISTERED")] == await events(
            stub, proto.ListEventsRequest(after_id=5003, follow=True, limit=1)
        )
        await steps.until(PruneStep.EVENTS)


async def test_lowered_limits_hold_after_the_start(settings: Settings) -> None:
    wide = replace(settings, pipeline_version_limit=0)
    async with serving(wide) as (stub, _):
        for _ in range(4):
            await register(stub)
        for number in range(5):
            await stub.put_pipeline_object(
                proto.PutPipelineObjectRequest(pipeline_id="simple", key=f"key {number}", content=b"x")
            )
    store = replace(settings.object_store, pipeline_object_limit=2)
    async with serving(replace(settings, pipeline_version_limit=2, object_store=store)) as (stub, _):

        async def is_narrow() -> bool:
            return (len(await versions(stub)), len(await keys(stub))) == (2, 2)

        await until(is_narrow)  # each of them may go in a piece of its own
        assert [4, 3] == await versions(stub)
        assert ["key 3", "key 4"] == await keys(stub)
        told = Counter(kind for _, kind in await events(stub))

    assert (2, 3) == (told["PIPELINE_CONFIG_DELETED"], told["EVICTED_PIPELINE_OBJECT"])


async def versions(stub: proto.GoferStub) -> list[int]:
    configs = await stub.list_pipeline_configs(proto.ListPipelineConfigsRequest(pipeline_id="simple"))
    return [config.version for config in configs.configs]


async def keys(stub: proto.GoferStub) -> list[str]:
    objects = await stub.list_pipeline_objects(proto.ListPipelineObjectsRequest(pipeline_id="simple"))
    return [each.key for each in objects.keys]


def insert_expired(unit: Unit, name: str, *, hours: int) -> None:
    token = Token(
        id=TokenId(name),
        kind=TokenKind.CLIENT,
        namespaces=parse_patterns(["default"]),
        created_at=unit.now - timedelta(days=9),
        expires_at=unit.now - timedelta(hours=hours),
    )
    unit.tokens.insert(token, hash_token(name))


async def test_tokens_are_not_listed_for_ever_after_they_have_expired(settings: Settings) -> None:
    guarded = replace(settings, dev_mode=False, development=replace(settings.development, bypass_auth=False))
    async with running_app(guarded) as app, secured(app) as it:
        management = it.management
    for name, hours in (("long", 48), ("just", 1)):
        await store(settings, lambda unit, name=name, hours=hours: insert_expired(unit, name, hours=hours))  # type: ignore[misc]
    steps = Steps()
    async with running_app(guarded, probes=Probes(pruned=steps)) as app, channel_of(app) as channel:
        await steps.until(PruneStep.TOKENS)
        stub = proto.GoferStub(channel, metadata={"authorization": f"Bearer {management}"})

        found = (await stub.list_tokens(proto.ListTokensRequest(namespace="default"))).tokens

    assert {"just"} == {token.id for token in found if token.kind is proto.TokenKind.CLIENT}


async def test_a_request_id_that_was_forgotten_starts_a_new_run(settings: Settings) -> None:
    request = proto.StartRunRequest(pipeline_id="simple", initiator=CLI, request_id="once")
    async with serving(settings) as (stub, _):
        await up(stub)
        await stub.start_run(request)
        again = (await stub.start_run(request)).run
        assert again is not None
        assert 1 == again.id
        await ended(stub, again)
    long_ago = "UPDATE runs SET created_at = created_at - 90000000"
    await store(settings, lambda unit: unit.runs._connection.execute(long_ago).close())  # noqa: SLF001
    async with serving(settings) as (stub, steps):
        await steps.until(PruneStep.REQUEST_IDS)
        first = (await stub.get_run(proto.GetRunRequest(pipeline_id="simple", id=1))).run
        assert first is not None
        assert "" == first.request_id

        run = (await stub.start_run(request)).run

    assert run is not None
    assert 2 == run.id
