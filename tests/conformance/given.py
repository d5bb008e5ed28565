"""An engine from elsewhere, which the suite is run against in the place of Gofer's own.

`GOFER_TEST_ENGINE=module:Case` names a class that is called with an empty folder and gives a case. It says its `kind`
(`scheduler`, `object_store` or `secret_store`) and its `name`; `make()` gives a new adapter of the same backend, not
entered. A scheduler's has what `tests.conformance.cases.Case` asks for besides. Only what concerns it is run then.
"""

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol, cast

import pytest

VARIABLE: Final = "GOFER_TEST_ENGINE"
GIVEN: Final = "given"
KINDS: Final = ("scheduler", "object_store", "secret_store")


class GivenCase(Protocol):
    """What every given case has."""

    kind: str
    name: str

    def make(self) -> object:
        """Give a new adapter of the same backend, not entered."""
        ...


def given(environment: Mapping[str, str] = os.environ) -> Callable[[Path], GivenCase] | None:
    """Import what the variable names. `pytest.UsageError` with the fix where that is no case."""
    text = environment.get(VARIABLE, "")
    if not text:
        return None
    module, _, name = text.partition(":")
    if not (module and name):
        raise pytest.UsageError(f"{VARIABLE}={text} must be written as module:Case")
    try:
        case = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise pytest.UsageError(
            f"{VARIABLE}={text} can't be imported: {error}; is its folder in PYTHONPATH, or its package installed?"
        ) from error
    if getattr(case, "kind", None) not in KINDS:
        raise pytest.UsageError(f"{VARIABLE}={text}: the class must say its kind, which is one of {', '.join(KINDS)}")
    return cast("Callable[[Path], GivenCase]", case)


def engines(kind: str, *ours: object) -> Sequence[object]:
    """Give the parameters of a fixture: the engine from elsewhere if it is of this kind, or else our own."""
    case = given()
    return (GIVEN,) if getattr(case, "kind", None) == kind else ours


def given_case(folder: Path) -> GivenCase:
    """Make the case that the variable names."""
    case = given()
    if case is None:
        raise pytest.UsageError(f"{VARIABLE} is not set")
    return case(folder)


def is_of_given(item: pytest.Item) -> bool:
    """Tell whether a test is about the engine from elsewhere."""
    return isinstance(item, pytest.Function) and hasattr(item, "callspec") and GIVEN in item.callspec.params.values()
