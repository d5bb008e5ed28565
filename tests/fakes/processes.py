"""Other processes, as a test looks at them: by their number, in /proc."""

from pathlib import Path

from tests.fakes.waiting import until, wait_until


def is_alive(pid: int) -> bool:
    """Tell whether a process is there, and no mere zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return False


async def gone(*pids: int) -> None:
    """Wait until the processes have ended: what was killed ends when the kernel comes to it, and nobody is told."""
    await until(lambda: not any(map(is_alive, pids)))


def wait_until_gone(*pids: int) -> None:
    """Do what `gone` does, where there is no loop."""
    wait_until(lambda: not any(map(is_alive, pids)))
