"""Which variables of a task run stand for something else, and the environment with what they stand for.

Only values from the pipeline's config are looked at. What is given for one run is taken literally, whatever it looks
like: else the sender of a webhook could read secrets.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from gofer.core.run import Variable, VariableSource
from gofer.core.secret import Secret
from gofer_sdk.rules.references import Reference, find_reference
from gofer_sdk.rules.text import quoted

MAX_VARIABLE_BYTES: Final = 128 * 1024
"""What Linux takes for one variable of a process's environment: the key, `=`, the value and a NUL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferringVariable:
    """A variable whose value is a reference."""

    key: str
    reference: Reference

    def __str__(self) -> str:
        """Give the beginning of a sentence about it, which names its key and what it refers to."""
        kind = self.reference.kind.value.replace("_", " ")
        return f"variable {quoted(self.key)} refers to the {kind} {quoted(self.reference.key)}"


def references(variables: Iterable[Variable]) -> tuple[ReferringVariable, ...]:
    """Find the variables of an environment that stand for something else, in their order."""
    return tuple(
        ReferringVariable(key=variable.key, reference=found)
        for variable in variables
        if variable.source is VariableSource.PIPELINE_CONFIG and (found := find_reference(variable.value)) is not None
    )


def fault_of_value(variable: ReferringVariable, value: Secret | str) -> str | None:
    """Say why what the variable stands for can't be a part of an environment; None if it can. It shows nothing of it.

    What else may be wrong with an environment is the engine's to say.
    """
    text = value.reveal() if isinstance(value, Secret) else value
    if "\0" in text:
        return f"{variable}, which holds a NUL character: no variable can"
    if len(variable.key.encode()) + len(text.encode("utf-8", "surrogateescape")) + 2 > MAX_VARIABLE_BYTES:
        return f"{variable}, which is too large for a variable: with its name it may have {MAX_VARIABLE_BYTES:,} bytes"
    return None


def rendered(variables: Iterable[Variable], values: Mapping[str, Secret | str]) -> dict[str, str]:
    """Give the environment that a container gets: `values` by key in the place of references, all else as it is."""
    environment = {variable.key: variable.value for variable in variables}
    for key, value in values.items():
        environment[key] = value.reveal() if isinstance(value, Secret) else value
    return environment
