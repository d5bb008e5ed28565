"""Write those pages of the reference, and those parts of pages, that are made from the code.

Usage: python -m docs.generate [--check]

With --check nothing is written. Exit status: 0 done, or all fresh; 1 --check has found a difference.
"""

import argparse
import difflib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from docs.generators import api, command_line, configuration, events, memory_engine, outcomes

DOCS: Final = Path(__file__).resolve().parent
PARTS: Final = "parts"
API: Final = "pages/reference/api"
WRITTEN_BY_HAND: Final = frozenset({f"{API}/index.md"})
SHOWN_DIFF_LINES: Final = 40


def render() -> Mapping[str, str]:
    """Return every generated file by its path below `docs`."""
    parts = {
        "settings": configuration.settings(),
        "global-options": command_line.global_options(),
        "commands": command_line.commands(),
        "calls": api.calls(),
        "extension-calls": api.extension_calls(),
        "event-kinds": events.kinds(),
        "event-details": events.details(),
        "errors": outcomes.errors(),
        "exit-statuses": outcomes.exit_statuses(),
        "run-states": outcomes.run_states(),
        "task-run-states": outcomes.task_run_states(),
        "reasons": outcomes.reasons(),
        "memory-keys": memory_engine.keys(),
    }
    return {f"{PARTS}/{name}.md": text for name, text in parts.items()} | {
        f"{API}/{name}.md": text for name, text in api.pages().items()
    }


def differences(pages: Mapping[str, str]) -> list[str]:
    """Return the lines of a diff between what is stored and what the code says, also for pages that are left over."""
    stored = {path.relative_to(DOCS).as_posix() for folder in (PARTS, API) for path in (DOCS / folder).glob("*.md")}
    texts = {**dict.fromkeys(stored - WRITTEN_BY_HAND, ""), **pages}
    return [
        line
        for name, text in sorted(texts.items())
        for line in difflib.unified_diff(_stored(name), text.splitlines(), f"stored/{name}", f"fresh/{name}", "", "")
    ]


def main(arguments: list[str]) -> int:
    """Generate, then write or compare; return the exit status."""
    parser = argparse.ArgumentParser(description="Write the pages of the reference that are made from the code.")
    parser.add_argument("--check", action="store_true", help="only say whether the stored pages are fresh")
    options = parser.parse_args(arguments)
    pages = render()
    changed = differences(pages)
    if options.check:
        for line in changed[:SHOWN_DIFF_LINES]:
            print(line)
        print("the reference is stale: run python -m docs.generate" if changed else "the reference is fresh")
        return 1 if changed else 0
    for name, text in pages.items():
        path = DOCS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    print(f"docs: {len(pages)} files, {len(changed)} changed lines of diff")
    return 0


def _stored(name: str) -> list[str]:
    path = DOCS / name
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
