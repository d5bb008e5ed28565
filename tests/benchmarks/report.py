"""All benchmarks, one after the other, as the table that is kept in docs/pages/concepts/performance.md.

Usage: python -m tests.benchmarks.report [--quick] [NAME ...]
"""

import argparse
import asyncio
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.benchmarks._figures import cells, from_json

HERE: Final = Path(__file__).parent
SECTIONS: Final = {
    "docker_run": "One task on Docker",
    "docker_graphs": "Graphs on Docker",
    "memory_chain": "What Gofer costs for each task",
    "api_calls": "Calls of the API",
    "logs": "Logs",
    "process": "The programs",
    "writer": "The database's writer",
    "bus": "The event bus",
    "machine": "The run machine",
    "loop_latency": "The event loop",
    "codec": "The codec",
}
HEAD: Final = ("", "Gofer", "floor of the same run", "Gofer / floor", "0.6.2")


def row(words: tuple[str, ...]) -> str:
    """Give a row of a table."""
    return f"| {' | '.join(words)} |"


async def section(name: str, *, quick: bool) -> str:
    """Run one benchmark in a process of its own; its part of the page."""
    options = ["--quick"] if quick else []
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"tests.benchmarks.{name}", "--json", *options), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await program.communicate()
    if program.returncode:
        return f"## {SECTIONS[name]}\n\nnot measured: `{name}` failed\n"
    figures = from_json(said.decode())
    table = [row(HEAD), row(("---",) * len(HEAD)), *(row(cells(figure)) for figure in figures)]
    return "\n".join((f"## {SECTIONS[name]}", "", *table, ""))


def circumstances() -> str:
    """Say when and where it was measured."""
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    return f"Measured {now} UTC: {os.cpu_count()} cores, Python {platform.python_version()}, load average {load}.\n"


async def main() -> int:
    """Print the tables; 1 where a benchmark failed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these, of: " + ", ".join(SECTIONS))
    parser.add_argument("--quick", action="store_true", help="a tenth of the samples, to see that it works")
    asked = parser.parse_args()
    unknown = set(asked.names) - SECTIONS.keys()
    if unknown:
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    sys.stdout.write(f"{circumstances()}\n")
    failed = False
    for name in asked.names or SECTIONS:
        text = await section(name, quick=asked.quick)
        failed = failed or "not measured" in text
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    return int(failed)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
