"""A server that is killed: forks, on each line that it reads, one that launches that attempt.

It writes the pid, each step that is done, and `dead` when that process is gone. Run as a program; the fork costs
nothing, so that a test can kill many of them.
"""

import asyncio
import os
import sys
from pathlib import Path

from tests.unit.engines.processes import attempt, engine_in, spec_of

STEPS = ("began", "created", "started", "ended", "removed")


async def launch(folder: Path, run: int) -> None:
    async with engine_in(folder) as engine:
        say("began")
        spec = spec_of("sh", "-c", "echo ran; exit 7", of=attempt(run))
        handle = await engine.create(spec)
        say("created")
        await engine.start(handle)
        say("started")
        await engine.wait(handle)
        say("ended")
        await engine.remove(handle)
        say("removed")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    folder = Path(sys.argv[1])
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            say(str(os.getpid()))
            asyncio.run(launch(folder, int(line)))
            os._exit(0)
        os.waitpid(pid, 0)
        say("dead")


if __name__ == "__main__":
    main()
