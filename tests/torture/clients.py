"""Real clients, at work all the while: they deploy, start, cancel, wait and follow, through every death of the server.

Each draws its choices from a sequence of its own, so that a seed gives the same requests in the same order; when each
of them meets which death is up to the machine.
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import timedelta
from typing import Final

from gofer_sdk.client import GoferClient
from gofer_sdk.client.patience import Patience
from gofer_sdk.errors import CallFailed, DeadlineExceeded, FailedPrecondition, NotFound, Unavailable
from tests.torture.doomed import Doomer
from tests.torture.ledger import AskedCancel, AskedRun, Ledger, ReadLog, now_ms
from tests.torture.pipelines import ALL_SLOTS, BY_NAME, GRAPHS, Engine, config_of
from tests.torture.secrets import Keeper
from tests.torture.terminals import Manner, visit
from tests.torture.versions import Registrar

MOST_OPEN: Final = 6
AGAIN_SHARE: Final = 0.25
"""How many of the starts are of an old run, if there is one that has ended."""
_AGAIN_SECONDS: Final = 0.05
_VISITED_SHARE: Final = 0.7
_VISITED_SECONDS: Final = 0.3
"""How long a task has to run for somebody to come."""
_PATIENCE: Final = Patience(
    call_timeout=timedelta(seconds=10),
    attempts=2,
    first_delay=timedelta(milliseconds=30),
    longest_delay=timedelta(milliseconds=200),
    reconnect_for=timedelta(seconds=60),
)


class Clients:
    """The clients of one batch. `stop` lets them finish what they have begun."""

    def __init__(self, *, port: int, seed: int, engine: Engine, marks: str, ledger: Ledger) -> None:
        self._host = f"127.0.0.1:{port}"
        self._seed = seed
        self._engine = engine
        self._marks = marks
        self._ledger = ledger
        self._stopping = asyncio.Event()
        self.deployed = asyncio.Event()  # every pipeline is there
        self._freed = asyncio.Event()
        self._group: asyncio.TaskGroup

    def client(self) -> GoferClient:
        """Give a client that waits for a server that is away, but not for ever."""
        return GoferClient(self._host, patience=_PATIENCE)

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopping.set()
        self._freed.set()

    async def run(self) -> None:
        """Work until stopped, and until all that was begun has come to its end."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            following = group.create_task(self._follow_events(), name="event follower")
            async with asyncio.TaskGroup() as busy:
                busy.create_task(self._deploy(), name="deployer")
                for number in range(2):
                    busy.create_task(self._start_runs(number), name=f"starter {number}")
                busy.create_task(self._cancel(), name="canceller")
                busy.create_task(self._doom(), name="doomer")
                busy.create_task(self._keep(), name="keeper")
                busy.create_task(self._register(), name="registrar")
                busy.create_task(self._read(), name="reader")
            await self._all_ended()
            following.cancel()

    async def _all_ended(self) -> None:
        """Wait until every acknowledged run was told to have ended."""
        while self._ledger.open:
            self._freed.clear()
            await self._freed.wait()

    def _chance(self, name: str) -> random.Random:
        return random.Random(f"{self._seed} {name}")

    async def _pause(self, seconds: float) -> None:
        """Wait, or less where everything stops."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass

    async def _insist(self, call: Callable[[], Awaitable[object]]) -> None:
        """Make a call until it is answered."""
        while True:
            try:
                await call()
            except (Unavailable, DeadlineExceeded) as error:
                self._ledger.fail(error)
                await asyncio.sleep(_AGAIN_SECONDS)
            else:
                return

    # ------------------------------------------------------------ what they do

    async def _deploy(self) -> None:
        async with self.client() as client:
            for graph in (*GRAPHS, ALL_SLOTS):
                await self._insist(lambda name=graph.id: self._deploy_one(client, name))  # type: ignore[misc]
        self.deployed.set()

    async def _deploy_one(self, client: GoferClient, name: str) -> None:
        registered = await client.pipelines.register(config_of(BY_NAME[name], self._engine, self._marks))
        await client.pipelines.deploy(name, registered.config.version)
        self._ledger.deployed[name] = registered.config.version

    async def _start_runs(self, number: int) -> None:
        chance = self._chance(f"starter {number}")
        await self.deployed.wait()
        async with self.client() as client:
            for count in range(1_000_000):
                while len(self._ledger.open) >= MOST_OPEN and not self._stopping.is_set():
                    self._freed.clear()
                    await self._freed.wait()
                if self._stopping.is_set():
                    return
                graph = chance.choices(GRAPHS, weights=[graph.weight for graph in GRAPHS])[0]
                await self._start(client, graph.id, f"{number}-{count}", again=chance.random() < AGAIN_SHARE)
                self._accompany(chance, self._of(f"{number}-{count}"))
                await self._pause(chance.random() ** 2 * 0.15)

    def _of(self, request_id: str) -> AskedRun:
        return next(each for each in reversed(self._ledger.runs) if each.request_id == request_id)

    async def _start(self, client: GoferClient, pipeline: str, request_id: str, *, again: bool) -> None:
        """Start a run, or an old one again, and ask with the same request id until it is acknowledged."""
        old = max((run for name, run in self._ledger.ended if name == pipeline), default=0) if again else 0
        self._ledger.retries += bool(old)
        asked = AskedRun(pipeline=pipeline, request_id=request_id, asked_ms=now_ms())
        self._ledger.runs.append(asked)

        async def ask() -> None:
            asked.tries += 1
            if old:
                started = await client.runs.retry(pipeline, old, request_id=request_id)
            else:
                started = await client.runs.start(pipeline, request_id=request_id)
            assert started.run is not None
            self._ledger.acknowledge(asked, started.run.id)

        await self._insist(ask)

    def _accompany(self, chance: random.Random, asked: AskedRun) -> None:
        """Let some runs be waited for, some logs be followed, and some tasks be visited."""
        if chance.random() < 0.3:
            self._group.create_task(self._wait_for(asked), name=f"waiter {asked.pipeline} {asked.run}")
        if chance.random() < 0.4:
            task = chance.choice(BY_NAME[asked.pipeline].tasks).id
            self._group.create_task(self._follow_log(asked, task), name=f"log {asked.pipeline} {asked.run} {task}")
        slow = [shape.id for shape in BY_NAME[asked.pipeline].tasks if shape.seconds >= _VISITED_SECONDS]
        if slow and self._engine is not Engine.MEMORY and chance.random() < _VISITED_SHARE:
            work = self._visit(asked, slow[0], chance.choice(list(Manner)))
            self._group.create_task(work, name=f"terminal {asked.pipeline} {asked.run} {slow[0]}")

    async def _visit(self, asked: AskedRun, task: str, manner: Manner) -> None:
        async with self.client() as client:
            await visit(client, self._ledger, asked, task, manner)

    async def _wait_for(self, asked: AskedRun) -> None:
        async with self.client() as client:

            async def wait() -> None:
                self._ledger.waited.append(await client.runs.wait(asked.pipeline, asked.run))

            await self._insist(wait)

    async def _follow_log(self, asked: AskedRun, task: str) -> None:
        async with self.client() as client:

            async def follow() -> None:
                data = bytearray()
                async with aclosing(client.task_runs.logs(asked.pipeline, asked.run, task)) as chunks:
                    async for chunk in chunks:
                        data += chunk.data
                self._ledger.logs.append(ReadLog(pipeline=asked.pipeline, run=asked.run, task=task, data=bytes(data)))

            try:
                await self._insist(follow)
            except (NotFound, FailedPrecondition):  # cancelled in the queue, or newer runs took its place
                self._ledger.refused_logs.append((asked.pipeline, asked.run, task))

    async def _cancel(self) -> None:
        chance = self._chance("canceller")
        async with self.client() as client:
            while not self._stopping.is_set():
                await self._pause(0.05 + chance.random() * 0.2)
                known = sorted(self._ledger.open)
                which, kind, force = chance.random(), chance.random(), chance.random() < 0.4
                if not known or self._stopping.is_set():
                    continue
                pipeline, run = known[int(which * len(known))]
                tasks = BY_NAME[pipeline].tasks
                task = "" if kind < 0.6 else tasks[int((kind - 0.6) / 0.4 * len(tasks))].id
                await self._cancel_one(
                    client, AskedCancel(pipeline=pipeline, run=run, task=task, force=force, asked_ms=now_ms())
                )

    async def _cancel_one(self, client: GoferClient, asked: AskedCancel) -> None:
        """Ask once: whether a cancel without an answer was stored is anybody's guess."""
        self._ledger.cancels.append(asked)
        try:
            if asked.task:
                await client.task_runs.cancel(asked.pipeline, asked.run, asked.task, force=asked.force)
            else:
                await client.runs.cancel(asked.pipeline, asked.run, force=asked.force)
        except (FailedPrecondition, NotFound) as error:  # a task of a queued run
            asked.refused = str(error)
        except CallFailed as error:
            self._ledger.fail(error)
        else:
            asked.acknowledged_ms = now_ms()

    async def _doom(self) -> None:
        """Delete what runs, again and again."""
        chance = self._chance("doomer")
        await self.deployed.wait()
        async with self.client() as client:
            doomer = Doomer(
                client=client, insist=self._insist, ledger=self._ledger, engine=self._engine, marks=self._marks
            )
            for number in range(1_000_000):
                await self._pause(chance.random() * 0.8)
                if self._stopping.is_set():
                    return
                await doomer.doom(number, chance)

    async def _keep(self) -> None:
        """Put, replace and delete what runs need."""
        chance = self._chance("keeper")
        await self.deployed.wait()
        async with self.client() as client:
            keeper = Keeper(client=client, insist=self._insist, ledger=self._ledger, chance=chance)
            await keeper.begin()
            while not self._stopping.is_set():
                await self._pause(chance.random() * 0.4)
                await keeper.change()

    async def _register(self) -> None:
        """Make new versions of what runs."""
        chance = self._chance("registrar")
        await self.deployed.wait()
        async with self.client() as client:
            registrar = Registrar(
                client=client, insist=self._insist, ledger=self._ledger, engine=self._engine, marks=self._marks
            )
            while not self._stopping.is_set():
                await self._pause(chance.random() * 0.3)
                await registrar.register(chance)

    async def _follow_events(self) -> None:
        """Follow the journal from its beginning, over every restart."""
        async with self.client() as client:
            await self._insist(lambda: self._hear_events(client))
        raise AssertionError("a followed stream of events ended, and said that it was whole")

    async def _hear_events(self, client: GoferClient) -> None:
        """Follow the journal after what was heard of it."""
        after = self._ledger.events[-1].id if self._ledger.events else 0
        async with aclosing(client.events.list(follow=True, after_id=after)) as events:
            async for event in events:
                self._ledger.events.append(event)
                if event.type == "RUN_COMPLETED":
                    details = json.loads(event.details)
                    self._ledger.end(details["pipeline_id"], details["run_id"])
                    self._freed.set()

    async def _read(self) -> None:
        """Ask for this and that, as a user interface would."""
        chance = self._chance("reader")
        async with self.client() as client:
            while not self._stopping.is_set():
                await self._pause(chance.random() * 0.3)
                try:
                    await self._look_around(client, chance)
                except CallFailed as error:
                    self._ledger.fail(error)

    async def _look_around(self, client: GoferClient, chance: random.Random) -> None:
        await client.system.info()
        known = sorted(self._ledger.open)
        if known:
            pipeline, run = chance.choice(known)
            await client.runs.list(pipeline)
            await client.task_runs.list(pipeline, run)
