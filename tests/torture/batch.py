"""One batch: lives that share a data folder, one after the other, and everything that is checked of them."""

import asyncio
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from traceback import format_exception
from typing import Final

from gofer.engines.process.folder import remove_tree
from gofer_sdk._proto import proto
from gofer_sdk.client import GoferClient
from tests.fakes.ports import free_port
from tests.torture.clients import Clients
from tests.torture.doomed import faults_of_deletions, faults_of_doomed, faults_of_last_words
from tests.torture.ends import UNRESOLVED, Ended, faults_of_ends
from tests.torture.expiry import faults_of_expiry, faults_of_pruning
from tests.torture.ledger import AskedCancel, AskedRun, Ledger, now_ms
from tests.torture.leftovers import faults_of_files, faults_of_leftovers
from tests.torture.life import NUMBERS, SHUTDOWN_SECONDS
from tests.torture.lives import Life, Zygote
from tests.torture.moments import Ending, Moment, Place, moments
from tests.torture.orders import Orders
from tests.torture.pipelines import ALL_SLOTS, SLOTS, Engine
from tests.torture.secrets import faults_of_leaks, faults_of_store
from tests.torture.stored import Stored, faults_of_stored, read_stored
from tests.torture.terminals import faults_of_visits
from tests.torture.traces import Marks, TaskKey, faults_of_logs, faults_of_marks, faults_of_times, marks
from tests.torture.versions import faults_of_runs, faults_of_versions

START_SECONDS: Final = 30.0
STOP_SECONDS: Final = SHUTDOWN_SECONDS + 5.0
SETTLE_SECONDS: Final = 60.0
PATIENCE_SECONDS: Final = {Engine.MEMORY: 3.0, Engine.PROCESS: 3.0, Engine.DOCKER: 8.0}
"""How long a life may last after it is ready, where its moment does not come."""
LOOK_SECONDS: Final = 0.05
IMPORT_SECONDS: Final = 0.7
"""How long a new interpreter is busy before it begins with what a fork begins with, about."""
CALM_SHARE: Final = 0.8
FRESH_SHARE: Final = 25
"""Every so many-th life is a new interpreter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What makes a batch what it is: repeating it needs no more."""

    engine: Engine
    ending: Ending
    seed: int
    kills: int

    def command(self) -> str:
        """Give the command that repeats it."""
        return (
            f"./dev torture --engine {self.engine} --signal {self.ending} --seed {self.seed} --kills {self.kills} "
            f"--lives {self.kills}"
        )


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of a batch: figures, and faults where there are any."""

    case: Case
    faults: list[str] = field(default_factory=list)
    struck: Counter[str] = field(default_factory=Counter)  # kills by their place
    figures: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


class Batch:
    """A batch at work; `run` is all of it."""

    def __init__(self, case: Case, folder: Path, zygote: Zygote) -> None:
        self._case = case
        self._folder = folder
        self._zygote = zygote
        self._port = free_port()
        self._ledger = Ledger()
        self._outcome = Outcome(case=case)
        self._deaths: list[int] = []
        self._number = 0
        self._life: Life | None = None

    async def run(self) -> Outcome:
        """Torture, let it settle, and check."""
        began = time.monotonic()
        async with marks(self._folder, self._case.engine) as heard:
            try:
                await self._torture(heard)
            except* Exception as group:  # noqa: BLE001 - whatever it is, it is this batch's, and told with its seed
                self._outcome.faults += [
                    "".join(format_exception(each, limit=-3, chain=False)) for each in _leaves(group)
                ]
            finally:
                if self._life is not None:
                    self._life.signal(signal.SIGKILL)
        self._outcome.seconds = time.monotonic() - began
        return self._outcome

    async def _torture(self, heard: Marks) -> None:
        clients = Clients(
            port=self._port,
            seed=self._case.seed,
            engine=self._case.engine,
            marks=str(heard.file),
            ledger=self._ledger,
        )
        chance = random.Random(f"{self._case.seed} moments")
        async with asyncio.TaskGroup() as group:
            work = group.create_task(clients.run(), name="clients")
            if chance.random() < CALM_SHARE:
                await self._calm_life(clients)
            for moment in moments(chance, self._case.ending, self._case.kills):
                await self._one_life(moment)
                if self._outcome.faults:
                    work.cancel()
                    return
            last = await self._begin(None)
            clients.stop()
            try:
                ended = await self._settle(work, heard)
            finally:
                work.cancel()
            await self._stop(last)
        if ended is not None:
            self._outcome.faults += faults_of_files(self._folder, ended)
            self._outcome.faults += faults_of_store(self._folder / "data")
        self._outcome.faults += _faults_of_log(self._folder / "server.log")

    # ------------------------------------------------------------ lives

    async def _begin(self, moment: Moment | None) -> Life:
        self._number += 1
        orders = Orders(
            folder=self._folder,
            engine=self._case.engine,
            port=self._port,
            number=self._number,
            max_tasks=SLOTS,
            moment=moment,
            fresh=(self._case.seed + self._number) % FRESH_SHARE == 0,
        )
        self._outcome.figures["fresh interpreters"] += orders.fresh
        life = self._life = await self._zygote.start(orders, self._folder / "server.log")
        if moment is None or moment.place is not Place.START:
            async with asyncio.timeout(START_SECONDS):
                await life.settled.wait()
        return life

    async def _one_life(self, moment: Moment) -> None:
        """Live until the moment, or until patience is at its end; then see what is on the disk."""
        life = await self._begin(moment)
        by_itself = await life.strikes_within(self._seconds(life, moment))
        if not by_itself:
            life.signal(NUMBERS[moment.signal])
        await self._await_end(life, moment)
        status = await life.reap()
        came = by_itself or moment.place in {Place.START, Place.RANDOM}
        self._outcome.struck[str(moment.place) if came else "at random"] += 1
        self._check_status(life, moment, status, asked=not by_itself)
        await self._check_stored(f"after life {self._number} ({moment}, ended {status})")

    async def _calm_life(self, clients: Clients) -> None:
        """Let the pipelines be there before the first kill, in most batches: all kills meet runs then."""
        life = await self._begin(None)
        async with asyncio.timeout(START_SECONDS):
            await clients.deployed.wait()
        await self._stop(life)
        await self._check_stored("after the first life")

    def _seconds(self, life: Life, moment: Moment) -> float:
        if moment.place is Place.START and life.orders.fresh:
            return moment.seconds + IMPORT_SECONDS
        if moment.place in {Place.START, Place.RANDOM}:
            return moment.seconds
        return PATIENCE_SECONDS[self._case.engine]

    async def _await_end(self, life: Life, moment: Moment) -> None:
        if moment.then_kill_seconds is not None and not await life.ends_within(moment.then_kill_seconds):
            life.signal(signal.SIGKILL)
        if not await life.ends_within(STOP_SECONDS):
            self._outcome.faults.append(f"life {self._number} ({moment}) did not stop within {STOP_SECONDS} s")
            life.signal(signal.SIGKILL)

    def _check_status(self, life: Life, moment: Moment, status: int, *, asked: bool) -> None:
        right = {-NUMBERS[moment.signal]} if moment.signal is Ending.KILL else {0}
        if moment.then_kill_seconds is not None:
            right.add(-signal.SIGKILL)
        if moment.signal is Ending.TERM and not life.is_ready:
            right.add(-signal.SIGTERM)  # before it took the signal into its own hands
        if moment.signal is Ending.TERM and asked and life.struck_itself:
            # Its moment came while it stopped: the second signal ends it at once, also where it listens no more.
            right |= {128 + signal.SIGTERM, -signal.SIGTERM}
        if status not in right:
            self._outcome.faults.append(f"life {self._number} ({moment}) ended with {status}, not with {right}")

    async def _stop(self, life: Life) -> None:
        life.signal(signal.SIGTERM)
        if not await life.ends_within(STOP_SECONDS):
            life.signal(signal.SIGKILL)
        status = await life.reap()
        if status != 0:
            self._outcome.faults.append(f"the last life ended with {status}")

    async def _check_stored(self, when: str) -> Stored:
        stored = await asyncio.to_thread(read_stored, self._folder / "data" / "gofer.db")
        self._deaths.append(stored.last_event)
        found = await asyncio.to_thread(faults_of_stored, stored, self._ledger, self._folder / "commits")
        found += faults_of_doomed(stored, self._ledger)
        found += faults_of_runs(stored, self._ledger)
        found += await asyncio.to_thread(lambda: list(faults_of_leaks(self._folder)))
        self._outcome.faults += [f"{when}: {fault}" for fault in found]
        return stored

    # ------------------------------------------------------------ the end

    async def _settle(self, work: asyncio.Task[None], heard: Marks) -> Ended | None:
        """Wait until all has ended, and see whether it has ended well."""
        await asyncio.wait({work}, timeout=SETTLE_SECONDS)
        if not work.done():
            stuck = [task.get_name() for task in asyncio.all_tasks() if not task.get_name().startswith("Task-")]
            self._outcome.faults.append(f"stuck: {sorted(self._ledger.open)}, {self._ledger.unanswered}; {stuck}")
            return None
        work.result()
        async with GoferClient(f"127.0.0.1:{self._port}") as client:
            info = await client.system.info()
            await self._check_slots(client)
            self._outcome.faults += await faults_of_deletions(client, self._ledger)
            self._outcome.faults += await faults_of_pruning(client, self._case.engine, self._ledger)
            ended, logs = await self._gather(client)
        faults = await faults_of_leftovers(self._folder, self._case.engine, info.instance_id)
        faults += [f"the server says: {note}" for note in info.notes if "is in use" not in note]
        faults += faults_of_ends(ended, self._ledger)
        faults += faults_of_marks(ended, heard.executions(logs, info.instance_id))
        faults += faults_of_times(ended)
        faults += faults_of_logs(ended, logs, self._ledger)
        faults += faults_of_expiry(ended, self._ledger)
        self._outcome.faults += faults
        self._count(ended, logs)
        return ended

    async def _check_slots(self, client: GoferClient) -> None:
        """Have every slot used at once: one that is stuck would make a task wait for ever."""
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                await self._use_slots(client)
        except TimeoutError:
            found = [(found.id, found.substate) async for found in client.task_runs.each(ALL_SLOTS.id, 1)]
            self._outcome.faults.append(f"a slot is stuck: {found}")

    async def _use_slots(self, client: GoferClient) -> None:
        asked = AskedRun(pipeline=ALL_SLOTS.id, request_id="slots", asked_ms=now_ms())
        self._ledger.runs.append(asked)
        started = await client.runs.start(asked.pipeline, request_id=asked.request_id)
        assert started.run is not None
        self._ledger.acknowledge(asked, started.run.id)
        while True:
            found = [found.substate async for found in client.task_runs.each(asked.pipeline, asked.run)]
            if found == ["RUNNING"] * SLOTS:
                break
            await asyncio.sleep(LOOK_SECONDS)
        cancel = AskedCancel(pipeline=asked.pipeline, run=asked.run, task="", force=True, asked_ms=now_ms())
        await client.runs.cancel(asked.pipeline, asked.run, force=True)
        cancel.acknowledged_ms = now_ms()
        self._ledger.cancels.append(cancel)
        await client.runs.wait(asked.pipeline, asked.run)

    async def _gather(self, client: GoferClient) -> tuple[Ended, dict[TaskKey, bytes]]:
        """Ask the API for everything."""
        stored = await self._check_stored("in the end")
        self._outcome.faults += faults_of_last_words(stored, self._ledger)
        self._outcome.faults += faults_of_versions(stored, self._ledger)
        self._outcome.faults += faults_of_visits(self._ledger)
        followed = self._ledger.events[-1].id if self._ledger.events else 0
        async with aclosing(client.events.list(after_id=followed)) as rest:
            self._ledger.events += [event async for event in rest]
        runs: dict[tuple[str, int], proto.Run] = {}
        task_runs: dict[tuple[str, int], dict[str, proto.TaskRun]] = {}
        for pipeline in self._ledger.deployed:
            async for run in client.runs.each(pipeline):
                key = (pipeline, run.id)
                runs[key] = run
                task_runs[key] = {}
                async for found in client.task_runs.each(pipeline, run.id):
                    task_runs[key][found.id] = found
        ended = Ended(
            engine=self._case.engine,
            events=stored.events,
            runs=runs,
            task_runs=task_runs,
            deaths=self._deaths,
            gaps=self._ledger.gaps,
        )
        return ended, await _logs_of(client, task_runs)

    def _count(self, ended: Ended, logs: dict[TaskKey, bytes]) -> None:
        found = [each for own in ended.task_runs.values() for each in own.values()]
        whys = Counter(each.status_reason.code for each in found if each.status_reason)
        self._outcome.figures.update(
            {
                "runs": len(ended.runs),
                "task runs": len(found),
                "orphaned": whys["orphaned"],
                "timed out": whys["timed_out"],
                "logs expired": sum(each.logs_expired for each in found),
                "runs retried": self._ledger.retries,
                "pipelines deleted": len(self._ledger.doomed),
                "secrets put": self._ledger.secrets_put,
                "secrets missed": whys[UNRESOLVED],
                "versions removed": sum(event.kind == "PIPELINE_CONFIG_DELETED" for event in ended.events),
                "terminals opened": len(self._ledger.visits),
                "cancelled runs": sum(run.status == proto.RunRunStatus.CANCELLED for run in ended.runs.values()),
                "acknowledged cancels": sum(bool(each.acknowledged_ms) for each in self._ledger.cancels),
                "starts asked again": sum(asked.tries > 1 for asked in self._ledger.runs),
                "events": len(self._ledger.events),
                "log bytes": sum(map(len, logs.values())),
                "failed calls": sum(self._ledger.errors.values()),
            }
        )


async def _logs_of(
    client: GoferClient, task_runs: Mapping[tuple[str, int], Mapping[str, proto.TaskRun]]
) -> dict[TaskKey, bytes]:
    """Read every log that has not expired."""
    logs: dict[TaskKey, bytes] = {}
    there = [(key, each) for key, own in task_runs.items() for each, found in own.items() if not found.logs_removed]
    for (pipeline, run), task in there:
        chunks = client.task_runs.logs(pipeline, run, task)
        logs[pipeline, run, task] = b"".join([chunk.data async for chunk in chunks])
    return logs


def _faults_of_log(path: Path) -> list[str]:
    """Say what the servers logged that is a fault of theirs."""
    lines = path.read_text(errors="replace").splitlines()
    return [line[:2_000] for line in lines if "Traceback" in line or '"level": "error"' in line]


def _leaves(group: BaseExceptionGroup[Exception]) -> Sequence[Exception]:
    found: list[Exception] = []
    for each in group.exceptions:
        found += _leaves(each) if isinstance(each, BaseExceptionGroup) else [each]
    return found


async def run_case(case: Case, zygote: Zygote) -> Outcome:
    """Run one batch in a folder of its own, which stays where there was a fault."""
    folder = Path(tempfile.mkdtemp(prefix="gofer-torture-"))
    outcome = await Batch(case, folder, zygote).run()
    if outcome.faults:
        outcome.faults.append(f"the folder is kept: {folder}")
    else:
        await asyncio.to_thread(remove_tree, folder)
    return outcome
