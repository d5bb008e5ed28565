import ast
from collections.abc import Iterable, Iterator

import pytest

from tests.architecture.source import PACKAGES, functions, modules

pytestmark = pytest.mark.timeout(120)  # the first one reads every file there is

EVERYTHING = (*PACKAGES, "protos", "tests", "examples")

# The boundaries at which anything at all may have gone wrong, and is logged or told once. The writer's group is one:
# what a unit of work raises belongs to the caller that waits for it, not to the units beside it.
MAY_CATCH_EVERYTHING = {
    "gofer/api/gateway.py",
    "gofer/cli/aio.py",
    "gofer/sqlite/group.py",
    "gofer/workers/extension_supervisor.py",
    "gofer/workers/pruner.py",
    "gofer/workers/run_actor.py",
}
MOST_BROAD_HANDLERS = 6

# Where a heavy import waits for its first use.
MAY_IMPORT_IN_FUNCTIONS = ("gofer/cli/", "gofer_sdk/hcl.py", "gofer_sdk/__init__.py")


def _expect_none(faults: Iterable[str]) -> None:
    found = list(faults)
    assert [] == found, "\n".join(found)


def test_no_file_is_longer_than_400_lines() -> None:
    _expect_none(f"{m.path}: {m.line_count} lines" for m in modules(*EVERYTHING) if m.line_count > 400)


def test_no_function_is_longer_than_40_lines() -> None:
    _expect_none(f"{f}: {f.line_count} lines" for f in functions(*EVERYTHING) if f.line_count > 40)


def test_no_function_takes_more_than_six_parameters() -> None:
    _expect_none(f"{f}: {f.parameter_count} parameters" for f in functions(*EVERYTHING) if f.parameter_count > 6)


def test_no_function_nests_deeper_than_three() -> None:
    _expect_none(f"{f}: nested {f.nesting} deep" for f in functions(*EVERYTHING) if f.nesting > 3)


def test_every_task_has_a_group_and_a_name() -> None:
    _expect_none(_orphan_tasks())


def _orphan_tasks() -> Iterator[str]:
    for module in modules(*PACKAGES):
        for node in ast.walk(module.tree):
            fault = _task_fault(module.path, node)
            if fault:
                yield f"{module.path}:{getattr(node, 'lineno', 0)} {fault}"


def _task_fault(path: str, node: ast.AST) -> str | None:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return None
    owner = ast.unparse(node.func.value)
    outside = owner == "asyncio" or "loop" in owner
    match node.func.attr:
        case "ensure_future":
            return "ensure_future makes a task without a group"
        case "create_task" if outside and path != "gofer/lifecycle.py":
            return f"{owner}.create_task makes a task without a group"
        case "create_task" if not any(keyword.arg == "name" for keyword in node.keywords):
            return "a task without a name"
    return None


def test_everything_is_caught_at_the_known_boundaries_only() -> None:
    handlers = list(_broad_handlers())

    _expect_none(place for path, place in handlers if path not in MAY_CATCH_EVERYTHING)
    assert len(handlers) <= MOST_BROAD_HANDLERS, handlers


def _broad_handlers() -> Iterator[tuple[str, str]]:
    """Handlers of Exception or more that go on afterwards; one that ends in `raise` hides nothing."""
    for module in modules(*PACKAGES):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ExceptHandler) and _is_broad(node) and not _raises_again(node):
                yield module.path, f"{module.path}:{node.lineno}"


def _is_broad(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    return any(isinstance(n, ast.Name) and n.id in {"Exception", "BaseException"} for n in ast.walk(handler.type))


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_imports_stand_at_the_top_of_their_module() -> None:
    late = [
        f"{function}: line {node.lineno}"
        for function in functions(*PACKAGES)
        for node in ast.walk(function.node)
        if isinstance(node, (ast.Import, ast.ImportFrom)) and not function.path.startswith(MAY_IMPORT_IN_FUNCTIONS)
    ]

    _expect_none(late)
