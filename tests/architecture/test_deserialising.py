"""What comes from tasks, users and files is read as data: nothing in it can become code of the server."""

import ast
from collections.abc import Iterator

from tests.architecture.source import PACKAGES, modules

MAKE_OBJECTS = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "yaml", "jsonpickle"}
RUN_TEXTS = {"eval", "compile", "__import__"}
# Its text is made of the names of the generated messages alone.
MAY_EXECUTE = {"gofer_sdk/codec/source.py"}


def test_no_reader_makes_objects_of_what_it_reads() -> None:
    assert [] == [f"{path}: {name}" for path, name in _imported() if name.partition(".")[0] in MAKE_OBJECTS]


def test_no_text_is_run_as_a_program_but_the_codecs_own() -> None:
    assert [] == [each for each in _called({"exec", *RUN_TEXTS}) if each.partition(":")[0] not in MAY_EXECUTE]


def _imported() -> Iterator[tuple[str, str]]:
    for module in modules(*PACKAGES):
        for node in ast.walk(module.tree):
            match node:
                case ast.Import():
                    yield from ((module.path, alias.name) for alias in node.names)
                case ast.ImportFrom(module=str(name)):
                    yield module.path, name
                case _:
                    pass


def _called(names: set[str]) -> Iterator[str]:
    for module in modules(*PACKAGES):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                yield f"{module.path}:{node.lineno} {node.func.id}"
