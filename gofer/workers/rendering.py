"""The environment that a container gets: what references stand for, found when the task is launched and not before.

The values live in memory only, from here to the engine; what is stored and shown stays the reference.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from gofer.core.errors import GoferError, NoKey, Unavailable
from gofer.core.ids import RunKey, TaskRunKey
from gofer.core.interpolation import ReferringVariable, fault_of_value, references, rendered
from gofer.core.pipeline import Task
from gofer.core.run import Reason, ReasonCode, Run, Variable, VariableSource
from gofer.core.secret import Secret
from gofer.core.variables import API_TOKEN, INJECTED, environment
from gofer_sdk.rules.references import ReferenceKind
from gofer_sdk.rules.text import list_faults

Resolve: TypeAlias = Callable[[RunKey, str], Awaitable[Secret | str]]
"""Gives what a key stands for in a run: a `Secret` is masked in the task's log, a plain text is not.

Raises `Unavailable` where it can't be had now, and another `GoferError` where the run may not have it, in words that
name the key and never a value.
"""

Inject: TypeAlias = Callable[[TaskRunKey], Awaitable[Mapping[str, Secret | str]]]
"""Gives what a task run that asks for a token gets: values by the variables that hold their places. Raises as above."""


class Unrenderable(Exception):
    """The environment can't be had, however often it is tried; the reason is for the task run."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.description)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """The environment of one attempt, and those of its values that nobody may read in its log."""

    environment: Mapping[str, str] = field(repr=False)
    secrets: tuple[Secret, ...] = ()
    injected: tuple[Secret, ...] = ()
    """Those that were made for this task run alone, which may be stored nowhere, not even sealed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _NotHad:
    """What a variable stands for can't be had, however often it is tried."""

    variable: ReferringVariable
    cause: GoferError

    def __str__(self) -> str:
        return f"{self.variable}: {self.cause.message}"


class Rendering:
    """Renders environments with one resolver for each kind of reference; a kind without one is refused.

    Without `inject`, tasks that ask for a token are refused.
    """

    def __init__(self, resolvers: Mapping[ReferenceKind, Resolve], *, inject: Inject | None = None) -> None:
        self._resolvers = dict(resolvers)
        self._inject = inject

    async def render(self, run: Run, task: Task) -> Rendered:
        """Find what the task's references stand for now, and make its token.

        Raises `Unrenderable` with every fault, and `Unavailable` where one can't be had now. A container never gets a
        reference in the place of its value.
        """
        variables = environment(run, task)
        found = references(variables)
        self._refuse_what_is_not_due(found, task)
        values, errors = await self._looked_up(run, found)
        told = [errors[each.key] if each.key in errors else fault_of_value(each, values[each.key]) for each in found]
        faults = [str(fault) for fault in told if fault is not None]
        if faults:
            raise Unrenderable(Reason(code=ReasonCode.REFERENCE_UNRESOLVED, description=list_faults(faults)))
        made = await self._injected(run, task, variables)
        return Rendered(
            environment=rendered(variables, values | made), secrets=_secrets_of(values), injected=_secrets_of(made)
        )

    async def secrets_now(self, run: Run, task: Task) -> tuple[tuple[Secret, ...], tuple[str, ...]]:
        """Give the secrets that the task's references stand for now, and a sentence for each that is gone.

        Raises `Unavailable` where one can't be had now, and `NoKey` where it is there and nobody can open it.
        """
        found = tuple(each for each in references(environment(run, task)) if each.reference.kind in self._resolvers)
        values, errors = await self._looked_up(run, found)
        for error in errors.values():
            if isinstance(error.cause, NoKey):
                raise error.cause
        return _secrets_of(values), tuple(str(error) for error in errors.values())

    async def _looked_up(
        self, run: Run, found: tuple[ReferringVariable, ...]
    ) -> tuple[dict[str, Secret | str], dict[str, _NotHad]]:
        """Ask for all of them; give by variable what each stands for, or why that can't be had."""
        values: dict[str, Secret | str] = {}
        errors: dict[str, _NotHad] = {}
        for each in found:
            try:
                values[each.key] = await self._resolvers[each.reference.kind](run.key, each.reference.key)
            except Unavailable:
                raise
            except GoferError as error:
                errors[each.key] = _NotHad(variable=each, cause=error)
        return values, errors

    async def _injected(self, run: Run, task: Task, variables: tuple[Variable, ...]) -> dict[str, Secret | str]:
        """Make the token last: a task that can't start gets none."""
        places = {each.key for each in variables if each.source is VariableSource.SYSTEM and each.value == INJECTED}
        if not places or self._inject is None:
            return {}
        try:
            made = await self._inject(run.key.task(task.id))
        except Unavailable:
            raise
        except GoferError as error:
            reason = Reason(code=ReasonCode.LAUNCH_FAILED, description=f"there is no token for it: {error.message}")
            raise Unrenderable(reason) from error
        return {key: value for key, value in made.items() if key in places}

    def _refuse_what_is_not_due(self, found: tuple[ReferringVariable, ...], task: Task) -> None:
        faults = [
            f"{each}, and this server can't resolve such references yet"
            for each in found
            if each.reference.kind not in self._resolvers
        ]
        if task.inject_api_token and self._inject is None:
            faults.append(f"the task asks for {API_TOKEN}, and this server can't inject tokens yet")
        if faults:
            raise Unrenderable(Reason(code=ReasonCode.NOT_DUE_YET, description=list_faults(faults)))


def _secrets_of(values: Mapping[str, Secret | str]) -> tuple[Secret, ...]:
    return tuple(dict.fromkeys(value for value in values.values() if isinstance(value, Secret)))
