"""A server that is killed: forks, on each line that it reads, one that launches that attempt; told its pid.

Run as a program. The fork costs nothing, so that a test can kill many of them.
"""

import asyncio
import os
import sys
from pathlib import Path

from tests.unit.engines.processes import attempt, engine_in, spec_of


async def launch(folder: Path, run: int) -> None:
    async with engine_in(folder) as engine:
        spec = spec_of("sh", "-c", "echo ran; exit 7", of=attempt(run))
        handle = await engine.create(spec)
        await engine.start(handle)
        await engine.wait(handle)
        if run % 2:
            await engine.remove(handle)


def main() -> None:
    folder = Path(sys.argv[1])
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            asyncio.run(launch(folder, int(line)))
            os._exit(0)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
