"""A real server that a test gives faults, and asks what it holds.

python -m tests.integration.faults.faulty_server DATA_FOLDER ENGINE [--docker-host URL] [--production]

Prints `ready PORT` once it serves. Then each line on stdin is a command, answered by a line of JSON:

    pages N       let the database file grow by N pages and no further; a negative number: as far as it likes
    patience S    let clients go that make the server wait for S seconds
    requests      give a request for each call that it answers: path, bytes in base64, whether a stream answers
    holds         tell how many tasks, descriptors and objects of ours and of grpclib there are, and how much memory
"""

import argparse
import asyncio
import base64
import gc
import json
import os
import sqlite3
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

from gofer.app import App, running_app, settle
from gofer.config.settings import Settings
from gofer.core.errors import GoferError
from gofer.lifecycle import stop_on_signals
from gofer.logging import set_up_logging
from gofer.sqlite.connection import on_thread
from tests.integration.faults.requests import requests_of
from tests.integration.killable_server import settings_of

MOST_PAGES: Final = 2**32 - 2
OURS: Final = ("gofer.", "grpclib.", "h2.")


class Commands:
    """What a test may ask of the server."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def answer(self, line: str) -> object:
        command, *words = line.split()
        match command:
            case "pages":
                return await self._limit_pages(int(words[0]))
            case "patience":
                self._app.server.gateway.patience = timedelta(seconds=float(words[0]))
                return "done"
            case "requests":
                mapping = self._app.server.gateway.__mapping__()
                return [
                    (each.path, base64.b64encode(each.body).decode(), each.is_stream) for each in requests_of(mapping)
                ]
            case "holds":
                return holds()
            case _:
                return f"there is no command {command}"

    async def _limit_pages(self, more: int) -> int:
        def limit(raw: sqlite3.Connection) -> int:
            (count,) = raw.execute("PRAGMA page_count").fetchone()
            most = MOST_PAGES if more < 0 else count + more
            (limited,) = raw.execute(f"PRAGMA max_page_count={most}").fetchone()
            return int(limited)

        return await on_thread(self._app.database._writer._connection, limit)  # noqa: SLF001 - a limit is a connection's


def holds() -> dict[str, object]:
    """Count what a leak would make more of."""
    gc.collect()
    kinds: Counter[str] = Counter()
    for each in gc.get_objects():
        name = f"{type(each).__module__}.{type(each).__qualname__}"
        if name.startswith(OURS):
            kinds[name] += 1
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "tasks": sorted(task.get_name() for task in asyncio.all_tasks()),
        "descriptors": descriptors(),
        "objects": kinds,
        "rss_bytes": pages * os.sysconf("SC_PAGE_SIZE"),
    }


def descriptors() -> Counter[str]:
    """Count the open descriptors by what they are of: a file, or the kind of what is none."""
    kinds: Counter[str] = Counter()
    for each in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the folder's own
            kinds[str(each.readlink()).partition(":[")[0]] += 1
    return kinds


async def obey(app: App) -> None:
    """Answer commands until stdin ends."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    commands = Commands(app)
    while line := await lines.readline():
        say(json.dumps(await commands.answer(line.decode())))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def serve(settings: Settings) -> None:
    stop = asyncio.Event()
    with stop_on_signals(stop.set):
        async with running_app(settings) as app, asyncio.TaskGroup() as group:
            settle()
            obeying = group.create_task(obey(app), name="commands")
            say(f"ready {app.server.port}")
            await stop.wait()
            obeying.cancel()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("engine")
    parser.add_argument("--docker-host", default="")
    parser.add_argument("--production", action="store_true")
    asked = parser.parse_args()
    settings = settings_of(asked.data, asked.engine, 0)
    docker = replace(settings.scheduler.docker, host=asked.docker_host, network="none")
    settings = replace(
        settings,
        dev_mode=not asked.production,  # its certificates and its trust stay those of dev mode
        scheduler=replace(settings.scheduler, docker=docker),
        task_run_stop_timeout=timedelta(seconds=2),
    )
    with set_up_logging(settings):
        try:
            asyncio.run(serve(settings))
        except GoferError as error:
            sys.stderr.write(f"{error.message}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
