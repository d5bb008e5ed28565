"""Any variables: a reference is one as a whole and of the config alone, and what it stands for is never looked at.

The variables are texts of three, parted by zeros: a key, a value, and where it comes from.
"""

import re
from collections.abc import Iterator
from typing import Final

from gofer.core.interpolation import ReferringVariable, fault_of_value, references, rendered
from gofer.core.run import Variable, VariableSource
from gofer.core.secret import Secret
from gofer_sdk.rules.references import Reference, ReferenceKind, find_reference, render_reference
from tests.fuzz.target import Target

SOURCES: Final = tuple(VariableSource)
WORDS: Final = ("secret", *(kind.value for kind in ReferenceKind))
DOUBLE: Final = re.compile(rf"\s*({'|'.join(WORDS)})\{{\{{(.*)\}}\}}\s*", re.DOTALL)
SINGLE: Final = re.compile(rf"\s*({'|'.join(WORDS)})\{{([^{{}}]*)\}}\s*", re.DOTALL)
MARK: Final = "what-nobody-should-see"


def check(data: bytes) -> None:
    """Find the references in some variables, render them, and say what is wrong with their values."""
    texts = data.decode("utf-8", "replace").split("\0")
    found = {}
    for at in range(0, len(texts) - 2, 3):
        key, value, source = texts[at : at + 3]
        found[key] = Variable(key=key, value=value, source=SOURCES[len(source) % len(SOURCES)])
        _check_reference(value)
    variables = tuple(found.values())
    referring = {each.key: each for each in references(variables)}
    environment = rendered(variables, {key: Secret(found[key].value) for key in referring})
    assert environment == {key: each.value for key, each in found.items()}, "a value was looked at again"
    for key, variable in found.items():
        is_one = variable.source is VariableSource.PIPELINE_CONFIG and _obviously(variable.value) is not None
        assert is_one == (key in referring), f"{variable}"
    for each in referring.values():
        _check_fault(each)


def _obviously(value: str) -> tuple[str, str] | None:
    match = DOUBLE.fullmatch(value) or SINGLE.fullmatch(value)
    return (match[1], match[2].strip()) if match else None


def _check_reference(value: str) -> None:
    expected, found = _obviously(value), find_reference(value)
    assert (found is None) == (expected is None), f"{value!r}: {found}"
    if found is None or expected is None:
        return
    word, key = expected
    assert found == Reference(kind=ReferenceKind("pipeline_secret" if word == "secret" else word), key=key)
    if key:
        assert find_reference(render_reference(found.kind, key)) == found, f"{value!r} is another when written again"


def _check_fault(variable: ReferringVariable) -> None:
    for value in (f"{MARK}\0", MARK * 10_000):
        fault = fault_of_value(variable, Secret(value))
        assert fault is not None
        assert MARK not in fault or MARK in variable.key + variable.reference.key
    assert str(variable).isprintable(), f"{variable}"


def seeds() -> Iterator[bytes]:
    """Give variables of every source with references of every kind, and with what only looks like one."""
    for word in WORDS:
        yield f"KEY\0{word}{{{{key}}}}\0x\0OTHER\0 {word}{{a b}} \0xx".encode()
    yield b"A\0secret{{a}} {{b}}\0x\0B\0x secret{{a}}\0x\0C\0secret{{}}\0x\0D\0secret{\0x"
    yield "\u202e\0secret{{\x1b}}\0x".encode()
    yield "É\0\u2003secret{{ü}}\x1c\0x\0E\0secret{{{a}}}\0x".encode()


TARGET: Final = Target(check=check, seeds=seeds, words=(*WORDS, "{{", "}}", "{", "}", "\0"), max_bytes=256)
