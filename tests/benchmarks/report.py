"""All benchmarks, one after the other, as the table that is kept in docs/pages/concepts/performance.md.

Usage: python -m tests.benchmarks.report [--quick] [--write] [NAME ...]
"""

import argparse
import asyncio
import os
import platform
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.benchmarks._figures import cells, from_json

HERE: Final = Path(__file__).parent
PAGE: Final = HERE.parents[1] / "docs/pages/concepts/performance.md"
MARK: Final = "<!-- From here on written by `./dev bench --write`. -->"
SECTIONS: Final = {
    "docker_run": "One task on Docker",
    "docker_gate": "Many tasks on Docker at once",
    "docker_graphs": "Graphs on Docker",
    "process_graphs": "Graphs on the process engine",
    "memory_chain": "What Gofer costs for each task",
    "memory_rate": "Runs a second",
    "large": "Large runs and long queues",
    "api_calls": "Calls of the API",
    "events": "Events",
    "objects": "Objects",
    "logs": "Log lines",
    "log_bytes": "Log bytes",
    "masking": "Masking secrets in logs",
    "process": "The programs",
    "history": "A start with a history",
    "pruning": "While the prune jobs work",
    "machine": "The run machine",
    "writer": "The database's writer",
    "bus": "The event bus",
    "loop_latency": "The event loop",
    "codec": "The codec",
}
HEAD: Final = ("", "Gofer", "floor of the same run", "Gofer / floor", "goal", "", "0.6.2")


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
    return "\n".join((f"## {SECTIONS[name]}", "", circumstances(), *table, ""))


def with_sections(page: str, texts: Mapping[str, str]) -> str:
    """Put the sections in the place of those that the page has; the others and all above the mark stay."""
    head, _, tail = page.partition(MARK)
    found = {part.partition("\n")[0]: f"## {part}".rstrip() + "\n" for part in tail.split("\n## ")[1:]}
    found |= {SECTIONS[name]: text for name, text in texts.items()}
    ordered = [found[title] for title in SECTIONS.values() if title in found]
    return f"{head.rstrip()}\n\n{MARK}\n\n" + "\n".join(ordered)


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
    parser.add_argument("--write", action="store_true", help="put the tables into the documentation, too")
    asked = parser.parse_args()
    unknown = set(asked.names) - SECTIONS.keys()
    if unknown:
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    texts: dict[str, str] = {}
    for name in asked.names or SECTIONS:
        texts[name] = await section(name, quick=asked.quick)
        sys.stdout.write(f"{texts[name]}\n")
        sys.stdout.flush()
    measured = {name: text for name, text in texts.items() if "not measured" not in text}
    if asked.write:
        page = await asyncio.to_thread(PAGE.read_text, "utf-8")
        await asyncio.to_thread(PAGE.write_text, with_sections(page, measured), "utf-8")
    return int(len(measured) < len(texts))


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
