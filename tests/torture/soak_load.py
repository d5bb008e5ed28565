"""Everything that clients do to a server, mixed, at a rate that stays the same: what a soak lasts under."""

import asyncio
import itertools
import json
import random
import ssl
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from typing import Final

from grpclib.client import Channel
from grpclib.config import Configuration
from grpclib.exceptions import GRPCError

from gofer_sdk._proto import proto
from gofer_sdk.client import GoferClient, Token
from gofer_sdk.codec import WireCodec
from gofer_sdk.errors import CallFailed, FailedPrecondition, NotFound

KEPT: Final = 20
"""How many runs of a pipeline keep their logs and objects."""
MOST_OPEN: Final = 12
_SECOND: Final = 1.0
_OBJECT_BYTES: Final = 64 * 1024
_LOG: Final = "".join(f"line {number} of a task that says something now and then\n" for number in range(100))
_Task = proto.UserPipelineTaskConfig


def _task(name: str, *parents: str, **script: str) -> _Task:
    need = proto.UserPipelineTaskConfigRequiredParentStatus.ANY
    variables = {f"GOFER_MEMORY_{key.upper()}": value for key, value in script.items()}
    return _Task(id=name, image="none", variables=variables, depends_on=dict.fromkeys(parents, need))


def _secret_task() -> _Task:
    task = _task("secretive", log="it knows something")
    return _Task(
        id=task.id,
        image=task.image,
        variables={**task.variables, "KNOWN": "pipeline_secret{{known}}"},
        inject_api_token=True,
    )


PIPELINES: Final = {
    "quick": [_task("one", log=_LOG)],
    "chain": [_task("one", log=_LOG), _task("two", "one", sleep="20ms"), _task("three", "two", exit_code="3")],
    "fan": [_task("first"), *(_task(f"each{n}", "first", log=_LOG) for n in range(5))],
    "holding": [_task("held", hold="true", log=_LOG), _task("after", "held")],
    "secretive": [_secret_task()],
}
"""The tasks of each pipeline. Nothing ends a run of `holding` but a cancel."""


class Load:
    """Clients of one server, that work until they are stopped. `done` counts what was answered, by what it was."""

    def __init__(self, *, port: int, token: Token, seed: int) -> None:
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self._port = port
        self._token = token
        self._seed = seed
        self._open: set[tuple[str, int]] = set()
        self._ended: deque[tuple[str, int]] = deque(maxlen=1000)  # an end may be heard before the start is answered
        self._heard = 0  # the last event's id
        self._starting = 0  # calls under way
        self._freed = asyncio.Event()
        self._stopping = asyncio.Event()

    @property
    def runs(self) -> int:
        """How many runs have ended."""
        return self.done["run ended"]

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopping.set()
        self._freed.set()

    async def prepare(self) -> None:
        """Make what the load needs."""
        async with self._client() as client:
            for name in PIPELINES:
                await self._register(client, name, 0)
            await client.secrets.put("secretive", "known", "a value that no log may hold")

    async def run(self) -> None:
        """Work until stopped; then end every run that is open. May be called again."""
        self._stopping.clear()
        workers: dict[str, Callable[[GoferClient, random.Random], Awaitable[None]]] = {
            **{f"start {number}": self._start for number in range(3)},
            "cancel": self._cancel,
            **{f"follow a log {number}": self._follow_log for number in range(4)},
            **{f"list {number}": self._list for number in range(2)},
            "register": self._register_next,
            "tokens": self._tokens,
            "secrets": self._secrets,
        }
        async with asyncio.TaskGroup() as group:
            following = [
                group.create_task(self._follow_events(short=number > 0), name=f"events {number}") for number in range(5)
            ]
            async with asyncio.TaskGroup() as busy:
                for name, work in workers.items():
                    busy.create_task(self._again_and_again(name, work), name=name)
                busy.create_task(self._objects(), name="objects")
                busy.create_task(self._end_all(), name="end")
            for each in following:
                each.cancel()

    # ------------------------------------------------------------ how they work

    def _client(self) -> GoferClient:
        return GoferClient(f"127.0.0.1:{self._port}", token=self._token)

    async def _again_and_again(self, name: str, work: Callable[[GoferClient, random.Random], Awaitable[None]]) -> None:
        """Do a thing until stopped, over one connection."""
        chance = random.Random(f"{self._seed} {name}")
        async with self._client() as client:
            while not self._stopping.is_set():
                try:
                    await work(client, chance)
                except (CallFailed, GRPCError) as error:
                    self.refused[f"{name.rstrip(' 0123456789')}: {type(error).__name__}: {error}"[:200]] += 1
                    await self._pause(_SECOND)

    async def _pause(self, seconds: float) -> None:
        """Wait, or less where everything stops."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass

    def _one_of_open(self, chance: random.Random, *names: str) -> tuple[str, int] | None:
        found = sorted(key for key in self._open if not names or key[0] in names)
        return chance.choice(found) if found else None

    # ------------------------------------------------------------ what they do

    async def _start(self, client: GoferClient, chance: random.Random) -> None:
        while len(self._open) >= MOST_OPEN and not self._stopping.is_set():
            self._freed.clear()
            await self._freed.wait()
        if self._stopping.is_set():
            return
        name = chance.choice(list(PIPELINES))
        self._starting += 1
        try:
            started = await client.runs.start(name, variables={"NUMBER": str(chance.random())})
            if (name, started.run.id) not in self._ended:
                self._open.add((name, started.run.id))
        finally:
            self._starting -= 1
        self.done["run started"] += 1
        await self._pause(0.3)

    async def _cancel(self, client: GoferClient, chance: random.Random) -> None:
        await self._pause(0.2)
        key = self._one_of_open(chance, "holding") if chance.random() < 0.8 else self._one_of_open(chance)
        if key is None:
            return
        force = chance.random() < 0.5
        if key[0] == "holding" and chance.random() < 0.3:
            await self._cancel_task(client, *key, force=force)
        else:
            await client.runs.cancel(*key, force=force)
            self.done["cancel of a run"] += 1

    async def _cancel_task(self, client: GoferClient, pipeline: str, run: int, *, force: bool) -> None:
        try:
            await client.task_runs.cancel(pipeline, run, "held", force=force)
        except (NotFound, FailedPrecondition):  # it is not admitted yet
            return
        self.done["cancel of a task run"] += 1

    async def _follow_log(self, client: GoferClient, chance: random.Random) -> None:
        key = self._one_of_open(chance)
        await self._pause(0.1)
        if key is None:
            return
        leaves = chance.random() < 0.3
        try:
            await self._read_log(client, *key, leaves=leaves)
        except (NotFound, FailedPrecondition):  # not admitted yet, or its log has expired
            return
        self.done["log left early" if leaves else "log followed to its end"] += 1

    async def _read_log(self, client: GoferClient, pipeline: str, run: int, *, leaves: bool) -> None:
        async with aclosing(client.task_runs.logs(pipeline, run, PIPELINES[pipeline][0].id)) as chunks:
            async for _ in chunks:
                if leaves:
                    return

    async def _follow_events(self, *, short: bool) -> None:
        """Hear of every event; a short follower leaves after some, and comes again."""
        after = self._heard
        async with self._client() as client:
            while True:
                after = await self._follow(client, after, most=500 if short else 0)
                self.done["events followed"] += 1

    async def _follow(self, client: GoferClient, after: int, *, most: int) -> int:
        """Follow events after an id, for ever or to so many; give the last one's id."""
        async with aclosing(client.events.list(follow=True, after_id=after, limit=most)) as events:
            async for event in events:
                after = event.id
                if not most:
                    self._hear(event)
        return after

    def _hear(self, event: proto.Event) -> None:
        self._heard = event.id
        if event.type == "RUN_COMPLETED":
            details = json.loads(event.details)
            key = (details["pipeline_id"], details["run_id"])
            self._open.discard(key)
            self._ended.append(key)
            self.done["run ended"] += 1
            self._freed.set()

    async def _list(self, client: GoferClient, chance: random.Random) -> None:
        name = chance.choice(list(PIPELINES))
        page = await client.runs.list(name, limit=chance.choice((1, 20, 61)))
        for run in list(page)[:3]:
            await client.task_runs.list(name, run.id)
        await client.pipelines.get(name)
        await client.pipelines.list()
        await client.pipelines.list_configs(name, limit=10)
        await client.pipelines.list_deployments(name, limit=10)
        await client.namespaces.list()
        await client.system.info()
        async with aclosing(client.events.list(limit=50, reverse=True)) as events:
            self.done["event listed"] += len([event async for event in events])
        self.done["round of lists"] += 1
        await self._pause(0.5)

    async def _register_next(self, client: GoferClient, chance: random.Random) -> None:
        await self._register(client, chance.choice(list(PIPELINES)), chance.randrange(1_000_000))
        await self._pause(4 * _SECOND)

    async def _register(self, client: GoferClient, name: str, number: int) -> None:
        config = proto.UserPipelineConfig(id=name, name=name, description=f"number {number}", tasks=PIPELINES[name])
        registered = await client.pipelines.register(config)
        await client.pipelines.deploy(name, registered.config.version)
        self.done["config registered and deployed"] += 1

    async def _tokens(self, client: GoferClient, _: random.Random) -> None:
        made = await client.tokens.create(namespaces=["default"], expires_in=timedelta(hours=1))
        async with GoferClient(f"127.0.0.1:{self._port}", token=made.token) as other:
            await other.tokens.who_am_i()
        await client.tokens.list()
        await client.tokens.disable(made.token)
        await client.tokens.delete(made.token)
        self.done["token made, used and deleted"] += 1
        await self._pause(_SECOND)

    async def _secrets(self, client: GoferClient, chance: random.Random) -> None:
        key = f"key_{chance.randrange(20)}"
        await client.secrets.put("quick", key, "x" * chance.randrange(10, 5_000), force=True)
        await client.secrets.get("quick", key, with_value=True)
        await client.secrets.list("quick")
        await client.secrets.delete("quick", key)
        self.done["secret put, read and deleted"] += 1
        await self._pause(0.5)

    async def _objects(self) -> None:
        """Put and read objects, more of them than are kept."""
        async with _stub(self._port, self._token) as stub:
            for number in itertools.count():
                if self._stopping.is_set():
                    return
                await self._put_and_get(stub, number)
                await self._pause(0.5)

    async def _put_and_get(self, stub: proto.GoferStub, number: int) -> None:
        content, key = number.to_bytes(4, "big") * (_OBJECT_BYTES // 4), f"key_{number % (3 * KEPT)}"
        await stub.put_pipeline_object(
            proto.PutPipelineObjectRequest(
                namespace_id="default", pipeline_id="quick", key=key, content=content, force=True
            )
        )
        got = await stub.get_pipeline_object(
            proto.GetPipelineObjectRequest(namespace_id="default", pipeline_id="quick", key=key)
        )
        assert got.content == content
        self.done["object put and read"] += 1

    async def _end_all(self) -> None:
        """Once stopped, cancel what is still open, which others may be following, and wait for its end."""
        await self._stopping.wait()
        async with self._client() as client:
            while self._open or self._starting:
                for name in PIPELINES:
                    await client.runs.cancel_all(name, force=True)
                await asyncio.sleep(_SECOND / 2)


@asynccontextmanager
async def _stub(port: int, token: Token) -> AsyncIterator[proto.GoferStub]:
    """Give the generated stubs, over a connection of their own."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the server's own, on this machine
    context.set_alpn_protocols(["h2"])
    channel = Channel("127.0.0.1", port, ssl=context, codec=WireCodec(), config=Configuration())
    try:
        yield proto.GoferStub(channel, metadata={"authorization": f"Bearer {token.reveal()}"})
    finally:
        channel.close()
