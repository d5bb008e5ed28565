"""The run machine against a second model of the same rules, over every graph of up to four tasks.

Usage: python -m tests.torture.model [--tasks FROM-TO] [--part K/N] [--exactly TASKS]

Every kind of signal comes in every order, in every situation; situations that differ in nothing that matters any more
are one. Up to `--exactly` tasks (default: 2) each is gone on from nevertheless, and must lead to no other. Takes half
an hour on two cores; `--part` does one of N equal shares. Prints a line for each number of tasks.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice

from tests.unit.core.model_check import Walked, all_moves, check, check_exactly, graphs
from tests.unit.core.naive_run import Graph

MOST_TASKS = 4


def merged(graph: Graph) -> Walked:
    """Walk through one graph with every kind of signal."""
    return check(graph, all_moves(graph))


def exactly(graph: Graph) -> Walked:
    """Do the same from every situation."""
    return check_exactly(graph, all_moves(graph))


def share(found: Iterator[Graph], part: Sequence[int]) -> list[Graph]:
    """Give the K-th of N shares."""
    which, of = part
    return list(islice(found, which - 1, None, of))


def main() -> int:
    """Check all; a difference ends the program with the graph and the signals that led to it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", default=f"0-{MOST_TASKS}", metavar="FROM-TO", help="only graphs of so many tasks")
    parser.add_argument("--part", default="1/1", metavar="K/N", help="only the K-th of N shares of the graphs")
    parser.add_argument("--exactly", type=int, default=2, metavar="TASKS", help="merge no situations up to so many")
    asked = parser.parse_args()
    part = [int(number) for number in asked.part.split("/")]
    least, most = (int(number) for number in asked.tasks.split("-"))
    with ProcessPoolExecutor() as pool:
        for tasks in range(least, most + 1):
            begun = time.monotonic()
            todo = share(graphs(tasks), part)
            found = list(pool.map(exactly if tasks <= asked.exactly else merged, todo, chunksize=4))
            situations, steps = (
                sum(each) for each in zip(*((one.situations, one.steps) for one in found), strict=True)
            )
            seconds = time.monotonic() - begun
            sys.stdout.write(
                f"{tasks} tasks: {len(todo):,} graphs, {situations:,} situations, {steps:,} steps, "
                f"equal ({seconds:.0f} s)\n"
            )
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
