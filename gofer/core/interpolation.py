"""Which variables of a task run stand for something else, and what to say where that can't be had.

Only values from the pipeline's config are looked at. What is given for one run is taken literally, whatever it looks
like: else the sender of a webhook could read secrets.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from gofer.core.pipeline import Task
from gofer.core.run import Reason, ReasonCode, Run, Variable, VariableSource
from gofer.core.variables import API_TOKEN, environment
from gofer_sdk.rules.references import Reference, find_reference
from gofer_sdk.rules.text import list_faults, quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferringVariable:
    """A variable whose value is a reference."""

    key: str
    reference: Reference


def references(variables: Iterable[Variable]) -> tuple[ReferringVariable, ...]:
    """Find the variables of an environment that stand for something else, in their order."""
    return tuple(
        ReferringVariable(key=variable.key, reference=found)
        for variable in variables
        if variable.source is VariableSource.PIPELINE_CONFIG and (found := find_reference(variable.value)) is not None
    )


def unresolvable(run: Run, task: Task) -> Reason | None:
    """Say what keeps the task from starting on a server without secret store, object store and tokens; None if nothing.

    It fails closed: a container never gets a reference in the place of its value. The sentence names variables and
    keys, never a value.
    """
    faults = [
        f"variable {quoted(found.key)} refers to the {found.reference.kind.value.replace('_', ' ')} "
        f"{quoted(found.reference.key)}, and this server can't resolve references yet"
        for found in references(environment(run, task))
    ]
    if task.inject_api_token:
        faults.append(f"the task asks for {API_TOKEN}, and this server can't inject tokens yet")
    return Reason(code=ReasonCode.NOT_DUE_YET, description=list_faults(faults)) if faults else None
