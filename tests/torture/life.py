"""One life of a real server, which ends itself where its orders say so.

`live` is called in a process of its own: forked by the zygote, or run as `python -m tests.torture.life FD ORDERS`. It
is what `gofer service start --dev-mode` does, with probes. It writes `ready` to the descriptor once it serves, `struck`
before it ends itself, and every event that is committed, in the order of the commits, to the file `commits` of its
folder.
"""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from gofer.app import Probes, running_app, settle
from gofer.config.address import Address
from gofer.config.load import load_settings
from gofer.config.settings import Settings
from gofer.core.events import Envelope
from gofer.core.ids import TaskRunKey
from gofer.lifecycle import exit_in_time, stop_on_signals
from gofer.logging import set_up_logging
from gofer.services.pruning import PruneStep
from gofer.sqlite import GroupStep
from gofer.workers.launching import LaunchStep
from tests.torture.moments import Ending, Moment, Place
from tests.torture.orders import Orders
from tests.torture.pipelines import EXPIRY_RUNS, Engine
from tests.torture.secrets import STORE
from tests.torture.versions import KEPT

SHUTDOWN_SECONDS = 5
STOP_SECONDS = 0.5
NUMBERS = {Ending.KILL: signal.SIGKILL, Ending.TERM: signal.SIGTERM}


def settings_of(orders: Orders) -> Settings:
    """Give dev mode's settings with everything below the folder."""
    folder = orders.folder
    settings = load_settings(config_path=None, dev_mode=True, environment={}, home=folder).settings
    expiry = EXPIRY_RUNS[Engine(orders.engine)]
    store = replace(settings.secret_store.sqlite, path=folder / "data" / STORE)
    return replace(
        settings,
        server=replace(
            settings.server,
            host=Address(host="127.0.0.1", port=orders.port),
            address=Address(host="127.0.0.1", port=orders.port),
            storage_path=folder / "data" / "gofer.db",
            shutdown_timeout=timedelta(seconds=SHUTDOWN_SECONDS),
        ),
        task_run_logs_dir=folder / "data" / "logs",
        task_run_log_expiry=expiry,
        pipeline_version_limit=KEPT,
        object_store=replace(settings.object_store, run_object_expiry=expiry),
        secret_store=replace(settings.secret_store, sqlite=store),
        task_run_stop_timeout=timedelta(seconds=STOP_SECONDS),
        development=replace(settings.development, pretty_logging=False),
        scheduler=replace(settings.scheduler, engine=orders.engine, max_tasks=orders.max_tasks),
    )


def striker(moment: Moment, say: Callable[[bytes], object]) -> Callable[[], None]:
    """Make what ends this process the `count`-th time it is called."""
    left = moment.count

    def strike_now() -> None:
        say(b"struck\n")
        os.kill(os.getpid(), NUMBERS[moment.signal])

    def strike_after() -> None:
        time.sleep(moment.seconds)
        strike_now()

    def strike() -> None:
        nonlocal left
        left -= 1
        if left == 0 and moment.place is Place.WITHIN:
            threading.Thread(target=strike_after, daemon=True).start()
        elif left == 0:
            strike_now()

    return strike


def probes_of(moment: Moment | None, say: Callable[[bytes], object], told: Callable[[Envelope], None]) -> Probes:
    """Give the probes that strike at the moment, and that tell of every committed event."""
    strike: Callable[[], None] = (lambda: None) if moment is None else striker(moment, say)
    at = {moment.place: moment.point} if moment is not None else {}

    def observe(step: LaunchStep, _key: TaskRunKey) -> None:
        if at.get(Place.STEP) == step:
            strike()

    def group(step: GroupStep) -> None:
        if step in {at.get(Place.GROUP), at.get(Place.WITHIN)}:
            strike()

    def committed(envelope: Envelope) -> None:
        told(envelope)
        if at.get(Place.EVENT) == envelope.event.kind:
            strike()

    def pruned(step: PruneStep) -> None:
        if at.get(Place.PRUNE) == step:
            strike()

    return Probes(observe=observe, group=group, committed=committed, pruned=pruned)


def teller(path: Path) -> Callable[[Envelope], None]:
    """Make what appends each event to a file, whole or not at all."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def tell(envelope: Envelope) -> None:
        os.write(descriptor, f"{envelope.id} {envelope.event.kind}\n".encode())

    return tell


async def _serve(orders: Orders, settings: Settings, *, stopping: Callable[[], None], ready: int) -> None:
    stop = asyncio.Event()

    def begin_to_stop() -> None:
        stopping()
        stop.set()

    def say(word: bytes) -> None:
        os.write(ready, word)

    probes = probes_of(orders.moment, say, teller(orders.folder / "commits"))
    with stop_on_signals(begin_to_stop):
        async with running_app(settings, probes=probes):
            settle()
            say(b"ready\n")
            await stop.wait()


def live(orders: Orders, ready: int) -> None:
    """Serve until a signal comes."""
    settings = settings_of(orders)
    with (
        set_up_logging(settings),
        exit_in_time(settings.server.shutdown_timeout) as stopping,
    ):
        asyncio.run(_serve(orders, settings, stopping=stopping, ready=ready))


if __name__ == "__main__":
    os.set_inheritable(int(sys.argv[1]), False)  # noqa: FBT003
    live(Orders.from_json(sys.argv[2]), int(sys.argv[1]))
