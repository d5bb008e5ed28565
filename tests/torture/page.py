"""The tables of docs/pages/concepts/torture.md, from what `./dev torture` kept.

Usage: python -m tests.torture.page [--into PAGE] [RESULTS ...]
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

from tests.torture.moments import Ending, Place
from tests.torture.pipelines import Engine
from tests.torture.results import RESULTS, Result, kept

BEGIN: Final = "<!-- made by tests.torture.page -->"
END: Final = "<!-- end -->"
_SIGNALS: Final = {Ending.KILL: "SIGKILL", Ending.TERM: "SIGTERM", Ending.BOTH: "both in turn"}
_LATER: Final = (
    (
        "Those of them with timeouts, retries, deletions and prunes under way:",
        ("timed out", "runs retried", "pipelines deleted", "logs expired"),
    ),
    (
        "Those of them with secrets, new versions and terminals, too:",
        ("secrets put", "secrets missed", "versions removed", "terminals opened"),
    ),
)
"""What the load was widened by, one time after the other: a sentence, and figures that only such batches have."""
_HEAD: Final = (
    "engine",
    "signal",
    "kills",
    "seeds",
    "runs",
    "task runs",
    "cancels",
    "orphaned",
    "events",
    "log MB",
    "days",
    "faults",
)


def tables(results: Sequence[Result]) -> str:
    """Give all tables in Markdown."""
    groups: dict[tuple[Engine, Ending], list[Result]] = {}
    for result in results:
        case = result.outcome.case
        groups.setdefault((case.engine, case.ending), []).append(result)
    ordered = [(key, groups[key]) for key in sorted(groups, key=_rank)]
    figures = [_HEAD, *(_figures(*key, found) for key, found in ordered)]
    places = [("engine", "signal", *Place), *(_places(*key, found) for key, found in ordered)]
    parts = [*table(figures), "", "Where the kills struck:", "", *table(places)]
    for sentence, names in _LATER:
        rows = [row for key, found in ordered if (row := _later(*key, found, names=names))]
        parts += ["", sentence, "", *table([("engine", "signal", "kills", *names), *rows])] if rows else []
    return "\n".join(parts)


def _rank(key: tuple[Engine, Ending]) -> tuple[int, int]:
    return list(Engine).index(key[0]), list(Ending).index(key[1])


def _figures(engine: Engine, ending: Ending, found: Sequence[Result]) -> tuple[str, ...]:
    total: Counter[str] = Counter()
    for result in found:
        total.update(result.outcome.figures)
    return (
        engine.value,
        _SIGNALS[ending],
        f"{sum(result.outcome.struck.total() for result in found):,}",
        ", ".join(_ranges(result.outcome.case.seed for result in found)),
        f"{total['runs']:,}",
        f"{total['task runs']:,}",
        f"{total['acknowledged cancels']:,}",
        f"{total['orphaned']:,}",
        f"{total['events']:,}",
        f"{total['log bytes'] / 1e6:.1f}",
        ", ".join(sorted({f"{result.at:%Y-%m-%d}" for result in found})),
        str(sum(bool(result.outcome.faults) for result in found)),
    )


def _later(engine: Engine, ending: Ending, found: Sequence[Result], *, names: Sequence[str]) -> tuple[str, ...]:
    """Give the row of what later batches meet as well; nothing where there was none of them."""
    later = [result for result in found if names[0] in result.outcome.figures]
    total: Counter[str] = Counter()
    for result in later:
        total.update(result.outcome.figures)
    kills = f"{sum(result.outcome.struck.total() for result in later):,}"
    return (engine.value, _SIGNALS[ending], kills, *(f"{total[name]:,}" for name in names)) if later else ()


def _places(engine: Engine, ending: Ending, found: Sequence[Result]) -> tuple[str, ...]:
    struck: Counter[str] = Counter()
    for result in found:
        struck.update(result.outcome.struck)
    return (engine.value, _SIGNALS[ending], *(f"{struck[place]:,}" for place in Place))


def _ranges(seeds: Iterable[int]) -> Iterator[str]:
    """Give numbers that follow each other as their first and last."""
    for _, group in groupby(enumerate(sorted(seeds)), key=lambda each: each[1] - each[0]):
        numbers = [number for _, number in group]
        yield str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Give a table in Markdown, line by line; the first row is its head."""
    head, *rest = rows
    for row in (head, ["---"] * len(head), *rest):
        yield f"| {' | '.join(row)} |"


def put_into(page: Path, text: str, *, begin: str = BEGIN) -> None:
    """Replace what stands between a mark of a page and the end of its part. Raises ValueError without such a mark."""
    between = re.compile(f"{re.escape(begin)}.*?{re.escape(END)}", re.DOTALL)
    changed, count = between.subn(lambda _: f"{begin}\n\n{text}\n\n{END}", page.read_text())
    if not count:
        raise ValueError(f"{page} has no part that begins with {begin}")
    page.write_text(changed)


def main() -> None:
    """Print the tables, or put them into a page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("results", nargs="*", type=Path, default=[RESULTS])
    parser.add_argument("--into", type=Path, help="the page to put them into")
    asked = parser.parse_args()
    text = tables(list(kept(asked.results)))
    if asked.into is None:
        sys.stdout.write(f"{text}\n")
    else:
        put_into(asked.into, text)


if __name__ == "__main__":
    main()
