"""The project's own source, read as syntax trees: what the limits are measured on."""

import ast
import gc
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("gofer", "gofer_sdk", "gofer_extensions")
GENERATED = "gofer_sdk/_proto/"

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    path: str
    tree: ast.Module
    line_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    path: str
    node: FunctionNode

    def __str__(self) -> str:
        return f"{self.path}:{self.node.lineno} {self.node.name}"

    @property
    def line_count(self) -> int:
        """Lines of code: a long promise in the docstring is not held against the function."""
        return _span(self.node) - (_span(self.node.body[0]) if ast.get_docstring(self.node) else 0)

    @property
    def parameter_count(self) -> int:
        arguments = self.node.args
        named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        return sum(argument.arg not in {"self", "cls"} for argument in named)

    @property
    def nesting(self) -> int:
        return max((_depth(child) for child in self.node.body), default=0)


def _span(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _depth(node: ast.AST) -> int:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
        return 0
    deeper = max((_depth(child) for child in ast.iter_child_nodes(node) if not _is_elif(node, child)), default=0)
    same = max((_depth(child) for child in ast.iter_child_nodes(node) if _is_elif(node, child)), default=0)
    return max(deeper + isinstance(node, BLOCKS), same)


def _is_elif(node: ast.AST, child: ast.AST) -> bool:
    return isinstance(node, ast.If) and node.orelse == [child] and isinstance(child, ast.If)


@cache
def tracked_files() -> tuple[str, ...]:
    """Every file that git knows, or that is new and not ignored, as a path from the root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return tuple(sorted(path for path in listed.stdout.split("\0") if path and (ROOT / path).is_file()))


@cache
def modules(*folders: str) -> tuple[Module, ...]:
    """The hand-written modules below these folders."""
    paths = [
        path for path in tracked_files() if path.endswith(".py") and path.startswith(tuple(f"{f}/" for f in folders))
    ]
    found = tuple(_read(path) for path in paths if not path.startswith(GENERATED))
    # A million nodes that stay would be looked at in the collection after each test: seconds of it on a busy machine.
    gc.freeze()
    return found


def _read(path: str) -> Module:
    text = (ROOT / path).read_text()
    return Module(path=path, tree=ast.parse(text, filename=path), line_count=len(text.splitlines()))


def functions(*folders: str) -> Iterator[Function]:
    """Every function and method of these folders, nested ones too."""
    for module in modules(*folders):
        for node in ast.walk(module.tree):
            if isinstance(node, FunctionNode):
                yield Function(path=module.path, node=node)
