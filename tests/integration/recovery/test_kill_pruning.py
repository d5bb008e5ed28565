"""Servers that are killed while they remove what is due to go, each between two other steps."""

import asyncio
import signal
import sys
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gofer.app import App, running_app
from gofer.clock import SystemClock
from gofer.core.access import Token, TokenId, TokenKind, parse_patterns
from gofer.core.events import NamespaceCreated
from gofer.core.ids import NamespaceId
from gofer.core.run import Run, RunState
from gofer.sealing import hash_token
from gofer.services.pruning import PruneStep
from gofer.sqlite import open_database
from gofer.storage.page import Page
from gofer.storage.unit import Unit
from gofer_sdk._proto import proto
from tests.factories import make_config, make_pipeline, make_run
from tests.fakes.waiting import until
from tests.integration.recovery.pruning import IMAGE, KEEP, narrow, wide
from tests.integration.servers import ROOT
from tests.service.secured import channel_of
from tests.service.wire import ended, register, start, task, up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

STEPS = (
    PruneStep.LOG_FILES,
    PruneStep.LOGS,
    PruneStep.RUN_OBJECT_ROWS,
    PruneStep.EVENTS,
    PruneStep.TOKENS,
    PruneStep.REQUEST_IDS,
    PruneStep.VERSIONS,
    PruneStep.OBJECT_ROWS,
)
"""In the order in which a server takes them."""
RUNS = 4
OLD_EVENTS = 3_000
OLD_TOKENS = 3_000
OLD_REQUESTS = 1_000
ASKED = "asked"
"""A pipeline whose runs are old, and have nothing left but their request ids."""


async def fill(folder: Path) -> None:
    """Leave four runs with logs and objects, objects, versions, and what is old."""
    async with running_app(wide(folder)) as app, channel_of(app) as channel:
        stub = proto.GoferStub(channel)
        await up(stub, task("hello", variables={"GOFER_MEMORY_LOG": "a line"}))
        for run in range(1, RUNS + 1):
            await ended(stub, await start(stub))
            for key in ("one", "two"):
                await stub.put_run_object(
                    proto.PutRunObjectRequest(pipeline_id="simple", run_id=run, key=key, content=b"x")
                )
        for number in range(5):
            await stub.put_pipeline_object(
                proto.PutPipelineObjectRequest(pipeline_id="simple", key=f"key_{number}", content=b"x")
            )
            await register(stub)
    await append_old(folder)


async def append_old(folder: Path) -> None:
    def write(unit: Unit) -> None:
        long_ago = unit.now - timedelta(days=365)
        for _ in range(OLD_EVENTS):
            unit.journal.append(NamespaceCreated(namespace_id=NamespaceId("default")), long_ago)
        for number in range(OLD_TOKENS):
            unit.tokens.insert(token_of(number, expires_at=long_ago), hash_token(f"{number}"))
        unit.tokens.insert(token_of(OLD_TOKENS, expires_at=unit.now), hash_token("of today"))
        unit.pipelines.insert(make_pipeline(ASKED))
        unit.pipelines.insert_config(make_config(pipeline=ASKED))
        for number in range(1, OLD_REQUESTS + 1):
            unit.runs.insert_run(asked(number, created_at=long_ago))
        unit.runs.insert_run(asked(OLD_REQUESTS + 1, created_at=unit.now))

    path = wide(folder).server.storage_path
    migrations = "gofer.storage.migrations"
    async with open_database(path, migrations=migrations, make_unit=Unit, clock=SystemClock()) as database:
        await database.write(write)


def token_of(number: int, *, expires_at: datetime) -> Token:
    return Token(
        id=TokenId(f"t{number:011}"),
        kind=TokenKind.CLIENT,
        namespaces=parse_patterns(["default"]),
        created_at=expires_at - timedelta(hours=1),
        expires_at=expires_at,
    )


def asked(number: int, *, created_at: datetime) -> Run:
    return make_run(
        number,
        pipeline=ASKED,
        state=RunState.SUCCEEDED,
        request_id=f"request {number}",
        created_at=created_at,
        ended_at=created_at,
    )


async def kill_at(folder: Path, *steps: PruneStep, engine: str = "memory") -> list[str]:
    """Run servers that kill themselves at these steps; give what was said of each."""
    module = "tests.integration.recovery.pruning"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, str(folder), "--engine", engine, *steps),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    said, _ = await process.communicate()
    return said.decode().splitlines()


async def all_asked(stub: proto.GoferStub) -> list[proto.Run]:
    found: list[proto.Run] = []
    cursor = ""
    while True:
        page = await stub.list_runs(proto.ListRunsRequest(pipeline_id=ASKED, cursor=cursor))
        found += page.runs
        cursor = page.next_cursor
        if not cursor:
            return found


async def until_nothing_is_due(app: App) -> None:
    """Wait for the end of the pruner's work; the last of it are the objects of pipelines."""
    await until(lambda: app.database.read(_is_nothing_due))


def _is_nothing_due(unit: Unit) -> bool:
    return not (
        unit.retention.logs_due(keep=KEEP, after=None, limit=1)
        or unit.retention.objects_due(keep=KEEP, limit=1)
        or unit.retention.pipelines_over_objects(KEEP, 1)
        or unit.journal.has_before(unit.now - timedelta(days=300))
        or unit.tokens.has_expired(unit.now - timedelta(days=300))
        or unit.retention.has_request_ids(unit.now - timedelta(days=300))
    )


async def test_what_servers_leave_that_are_killed_at_every_step_is_done_by_the_last(tmp_path: Path) -> None:
    await fill(tmp_path)

    said = await kill_at(tmp_path, *STEPS)

    assert [f"{step} {signal.SIGKILL}" for step in STEPS] == said
    async with running_app(narrow(tmp_path)) as app, channel_of(app) as channel:
        await until_nothing_is_due(app)
        stub = proto.GoferStub(channel)
        runs = (await stub.list_runs(proto.ListRunsRequest(pipeline_id="simple"))).runs
        configs = (await stub.list_pipeline_configs(proto.ListPipelineConfigsRequest(pipeline_id="simple"))).configs
        objects = (await stub.list_pipeline_objects(proto.ListPipelineObjectsRequest(pipeline_id="simple"))).keys
        events = [reply.event async for reply in stub.list_events(proto.ListEventsRequest())]
        told = Counter(event.type for event in events if event is not None)
        tokens = await app.database.read(lambda unit: unit.tokens.list(Page()).items)
        requests = {each.id: each.request_id for each in await all_asked(stub)}
        for run in (3, 4):
            reply = await stub.get_run_object(proto.GetRunObjectRequest(pipeline_id="simple", run_id=run, key="one"))
            assert b"x" == reply.content

    logs = tmp_path / "data" / "logs" / "default" / "simple"
    assert ["3", "4"] == sorted(path.name for path in logs.iterdir())
    assert {1: True, 2: True, 3: False, 4: False} == {run.id: run.store_objects_expired for run in runs}
    assert [6, 5, 1] == [config.version for config in configs], "the first one has runs"
    assert ["key_3", "key_4"] == [each.key for each in objects]
    assert {"RUN_OBJECTS_EXPIRED": 2, "EVICTED_PIPELINE_OBJECT": 3, "PIPELINE_CONFIG_DELETED": 3} == {
        kind: told[kind] for kind in ("RUN_OBJECTS_EXPIRED", "EVICTED_PIPELINE_OBJECT", "PIPELINE_CONFIG_DELETED")
    }, "each was told once"
    assert 1 == told["NAMESPACE_CREATED"]
    assert ["t00000003000"] == [token.id for token in tokens], "the one that expired today"
    assert OLD_REQUESTS + 1 == len(requests), "runs stay"
    assert {OLD_REQUESTS + 1: "request 1001"} == {run: request for run, request in requests.items() if request}

    async with running_app(narrow(tmp_path)):
        pass  # each start sweeps the store
    kept = tmp_path / "data" / "objects" / "kept"
    assert 2 * 2 + 2 == sum(path.is_file() for path in kept.rglob("*"))


@pytest.mark.parametrize("engine", ["process", pytest.param("docker", marks=pytest.mark.docker)])
async def test_containers_that_a_killed_server_was_removing_are_gone_after_the_next_start(
    tmp_path: Path, engine: str
) -> None:
    async with running_app(wide(tmp_path, engine)) as app, channel_of(app) as channel:
        stub = proto.GoferStub(channel)
        hello = proto.UserPipelineTaskConfig(id="hello", image=IMAGE, command=["true"])
        await up(stub, hello)
        run = await ended(stub, await start(stub))
        instance = await app.database.read(lambda unit: unit.meta.instance_id())

    said = await kill_at(tmp_path, PruneStep.CONTAINERS, engine=engine)

    async with running_app(wide(tmp_path, engine)) as app, channel_of(app) as channel:
        left = [each async for each in app.engine.owned(instance)]
        good = await ended(proto.GoferStub(channel), await start(proto.GoferStub(channel)))
    assert proto.RunRunStatus.SUCCESSFUL == run.status == good.status
    assert [f"{PruneStep.CONTAINERS} {signal.SIGKILL}"] == said
    assert [] == left
    if engine == "process":
        assert [] == list((tmp_path / "data" / "processes").iterdir())
