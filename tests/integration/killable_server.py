"""A real server that can kill itself, as `kill -9` would, at a point that a test names.

python -m tests.integration.killable_server DATA_FOLDER ENGINE [--port N] [--step STEP | --event KIND] [--count N]
    [--guarded] [--object-bytes N]

`--step create --count 2` dies before the second container is created; `--event TASKRUN_STARTED` dies right after the
commit of the first such event, before anything that should follow it. `--guarded` asks for tokens as in production;
`--object-bytes` says how large an object may be. Prints `ready PORT` once it serves.
"""

import argparse
import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from gofer.app import Probes, running_app
from gofer.config.address import Address
from gofer.config.load import load_settings
from gofer.config.settings import Settings
from gofer.core.events import Envelope
from gofer.core.ids import TaskRunKey
from gofer.lifecycle import stop_on_signals
from gofer.logging import set_up_logging
from gofer.workers.launching import LaunchStep


def settings_of(data: Path, engine: str, port: int) -> Settings:
    """Dev mode with everything below one folder."""
    settings = load_settings(config_path=None, dev_mode=True, environment={}, home=data).settings
    return replace(
        settings,
        server=replace(
            settings.server,
            host=Address(host="127.0.0.1", port=port),
            address=Address(host="127.0.0.1", port=port),
            storage_path=data / "data" / "gofer.db",
            shutdown_timeout=timedelta(seconds=45),
        ),
        task_run_logs_dir=data / "data" / "logs",
        scheduler=replace(settings.scheduler, engine=engine),
    )


def killer(count: int) -> Callable[[], None]:
    """Make what kills this process the `count`-th time it is called."""
    left = count

    def strike() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return strike


def probes_of(step: str, kind: str, count: int) -> Probes:
    """Kill before the step is taken, or after the event is committed."""
    strike = killer(count)

    def observe(taken: LaunchStep, _key: TaskRunKey) -> None:
        if taken == step:
            strike()

    def committed(envelope: Envelope) -> None:
        if envelope.event.kind == kind:
            strike()

    return Probes(observe=observe, committed=committed)


async def serve(settings: Settings, probes: Probes) -> None:
    stop = asyncio.Event()
    with stop_on_signals(stop.set):
        async with running_app(settings, probes=probes) as app:
            print(f"ready {app.server.port}", flush=True)  # noqa: T201
            await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("engine")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--step", default="")
    parser.add_argument("--event", default="")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--guarded", action="store_true")
    parser.add_argument("--object-bytes", type=int, default=0)
    asked = parser.parse_args()
    settings = settings_of(asked.data, asked.engine, asked.port)
    if asked.guarded:
        settings = replace(settings, development=replace(settings.development, bypass_auth=False))
    if asked.object_bytes:
        store = replace(settings.object_store, object_size_limit_bytes=asked.object_bytes)
        settings = replace(settings, object_store=store)
    with set_up_logging(settings):
        asyncio.run(serve(settings, probes_of(asked.step, asked.event, asked.count)))


if __name__ == "__main__":
    main()
