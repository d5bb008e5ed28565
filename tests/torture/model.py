"""The run machine against a second model of the same rules, over every graph of up to four tasks.

Usage: python -m tests.torture.model [--part K/N]

To two tasks every kind of signal comes in every order; to three all but those of timeouts of tasks, and again those
that decide about timeouts; to four those that decide outcomes. Takes some minutes on two cores; `--part` does one of N
equal shares. Prints a line for each number of tasks.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice

from tests.unit.core.model_check import all_moves, check, few_moves, graphs, timed_moves, untimed_moves
from tests.unit.core.naive_run import Graph

MOST_TASKS = 4


def situations(graph: Graph) -> int:
    """Walk through one graph; the number of situations."""
    if len(graph) == MOST_TASKS:
        return check(graph, few_moves(graph))
    if len(graph) == MOST_TASKS - 1:
        return check(graph, untimed_moves(graph)) + check(graph, timed_moves(graph))
    return check(graph, all_moves(graph))


def share(found: Iterator[Graph], part: Sequence[int]) -> list[Graph]:
    """Give the K-th of N shares."""
    which, of = part
    return list(islice(found, which - 1, None, of))


def main() -> int:
    """Check all; a difference ends the program with the graph and the signals that led to it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--part", default="1/1", metavar="K/N", help="only the K-th of N shares of the graphs")
    part = [int(number) for number in parser.parse_args().part.split("/")]
    with ProcessPoolExecutor() as pool:
        for tasks in range(MOST_TASKS + 1):
            begun = time.monotonic()
            todo = share(graphs(tasks), part)
            found = sum(pool.map(situations, todo, chunksize=4))
            seconds = time.monotonic() - begun
            sys.stdout.write(f"{tasks} tasks: {len(todo):,} graphs, {found:,} situations, equal ({seconds:.0f} s)\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
