"""The server of a soak: the memory engine, tokens asked for, and as little kept of what is over as can be.

python -m tests.torture.soak_server FOLDER

Prints `ready PORT` once it serves, and ends with SIGTERM. What it logs goes to FOLDER/server.log.
"""

import asyncio
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from gofer.app import running_app, settle
from gofer.config.address import Address
from gofer.config.load import load_settings
from gofer.config.settings import LogLevel, Settings
from gofer.lifecycle import stop_on_signals
from gofer.logging import set_up_logging
from tests.torture.soak_load import KEPT


def settings_of(folder: Path) -> Settings:
    """Have everything below one folder, and what is over removed soon."""
    settings = load_settings(config_path=None, dev_mode=True, environment={}, home=folder, engines={}).settings
    address = Address(host="127.0.0.1", port=0)
    return replace(
        settings,
        server=replace(settings.server, host=address, address=address, storage_path=folder / "data" / "gofer.db"),
        development=replace(settings.development, bypass_auth=False, pretty_logging=False),
        scheduler=replace(settings.scheduler, engine="memory"),
        object_store=replace(settings.object_store, pipeline_object_limit=KEPT, run_object_expiry=KEPT),
        event_log_retention=timedelta(minutes=1),
        event_prune_interval=timedelta(seconds=20),
        task_run_log_expiry=KEPT,
        task_run_logs_dir=folder / "data" / "logs",
        task_run_stop_timeout=timedelta(seconds=1),
        log_level=LogLevel.ERROR,
    )


async def serve(settings: Settings) -> None:
    """Serve until a signal comes."""
    stop = asyncio.Event()
    with stop_on_signals(stop.set):
        async with running_app(settings) as app:
            settle()
            sys.stdout.write(f"ready {app.server.port}\n")
            sys.stdout.flush()
            await stop.wait()


def main() -> None:
    """Serve with the settings of a soak."""
    folder = Path(sys.argv[1])
    settings = settings_of(folder)
    with (folder / "server.log").open("ab") as log, set_up_logging(settings, stream=log):
        asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
