"""Prints the figures of the code that are there to think about; nothing fails on them.

Run as `python -m tests.architecture.figures` from the root of the repository.
"""

import ast
from collections.abc import Sequence

from tests.architecture.source import PACKAGES, functions, modules

PERCENT = 100
SHORT_LINES = 20


def main() -> None:
    files = sorted(module.line_count for module in modules(*PACKAGES))
    found = list(functions(*PACKAGES))
    lengths = sorted(function.line_count for function in found)
    tests = sum(module.line_count for module in modules("tests"))
    print(f"files: {len(files)}, median {_at(files, 50)} lines, p90 {_at(files, 90)} (aim: 120, 300)")
    print(f"functions: {len(found)}, median {_at(lengths, 50)} lines, p90 {_at(lengths, 90)} (aim: 8, 25)")
    print(f"functions of at most 20 lines: {_share([n <= SHORT_LINES for n in lengths])} (aim: 85 %)")
    print(f"parameters p90: {_at(sorted(f.parameter_count for f in found), 90)} (aim: 3)")
    print(f"nesting p90: {_at(sorted(f.nesting for f in found), 90)} (aim: 2)")
    print(f"public classes with a docstring: {_share(_documented_classes())} (aim: 100 %)")
    print(f"tests to code, in lines: {tests / max(sum(files), 1):.2f} (aim: 1.3 to 1.6)")


def _at(values: Sequence[int], percent: int) -> int:
    return values[min(len(values) - 1, len(values) * percent // PERCENT)] if values else 0


def _share(flags: Sequence[bool]) -> str:
    return f"{PERCENT * sum(flags) / max(len(flags), 1):.0f} %"


def _documented_classes() -> list[bool]:
    nodes = [node for module in modules(*PACKAGES) for node in ast.walk(module.tree)]
    classes = [node for node in nodes if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
    return [ast.get_docstring(node) is not None for node in classes]


if __name__ == "__main__":
    main()
