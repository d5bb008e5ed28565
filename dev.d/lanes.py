"""Run the sessions that belong to a change, in two lanes side by side where there are two processors.

One lane is `integration`, whose tests wait a lot for other processes; the other is all the rest, and is shown live.
What the first says is shown when both are over. A lane that fails ends the other. Arguments are nox's.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
APART: Final = "integration"
LOOK_SECONDS: Final = 0.2
END_SECONDS: Final = 60.0
INTERRUPTED: Final = 130

Lane = subprocess.Popen[bytes]


def nox(*chosen: str, arguments: Sequence[str]) -> list[str]:
    """Give the command that runs the chosen ones of the sessions."""
    return [sys.executable, "-m", "nox", "--tags", "test", "--stop-on-first-error", *chosen, *arguments]


def end(lane: Lane) -> None:
    """Interrupt a lane with all that it has started, as Ctrl-C does; kill what does not listen."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if lane.poll() is not None:
            return
        os.killpg(lane.pid, number)
        try:
            lane.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            continue


def first_status(lanes: Sequence[Lane], interrupts: Sequence[int]) -> int:
    """Wait until all lanes have ended well, or one has not, or there is an interrupt; give its status."""
    while not interrupts:
        found = [lane.poll() for lane in lanes]
        failed = [status for status in found if status]
        if failed or None not in found:
            return failed[0] if failed else 0
        time.sleep(LOOK_SECONDS)
    return INTERRUPTED


def in_two_lanes(arguments: Sequence[str], said: Path) -> int:
    """Run both lanes; give the status of the first that fails."""
    # Noted, not raised: what an exception cut short might have started a lane that nobody would know of.
    interrupts: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: interrupts.append(number))
    with said.open("wb") as output:
        # Sessions of their own: what is interrupted is interrupted by us, and ends with all that it has started.
        apart = subprocess.Popen(
            nox("-k", APART, arguments=arguments), stdout=output, stderr=output, start_new_session=True
        )
        rest = subprocess.Popen(nox("-k", f"not {APART}", arguments=arguments), start_new_session=True)
        try:
            return first_status((apart, rest), interrupts)
        finally:
            for lane in (rest, apart):
                end(lane)


def main() -> int:
    """Run the sessions; 0 where all went well."""
    arguments = sys.argv[1:]
    if (os.cpu_count() or 1) < 2:  # noqa: PLR2004 - a lane needs a processor
        return subprocess.run(nox(arguments=arguments), check=False).returncode
    said = ROOT / ".dev" / f"{APART}.log"
    said.parent.mkdir(exist_ok=True)
    print(f"the session {APART} runs beside the others; what it says comes last, from {said}", flush=True)
    status = in_two_lanes(arguments, said)
    print(said.read_text(errors="replace"), flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
