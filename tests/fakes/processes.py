"""Other processes, as a test looks at them: by their number, in /proc."""

import asyncio
import time
from pathlib import Path

LOOK_SECONDS = 0.01


def is_alive(pid: int) -> bool:
    """Tell whether a process is there, and no mere zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return False


async def gone(*pids: int) -> None:
    """Wait until the processes have ended: what was killed ends when the kernel comes to it, and nobody is told."""
    while any(map(is_alive, pids)):  # noqa: ASYNC110 - see above
        await asyncio.sleep(LOOK_SECONDS)


def wait_until_gone(*pids: int) -> None:
    """Do what `gone` does, where there is no loop."""
    while any(map(is_alive, pids)):
        time.sleep(LOOK_SECONDS)
