"""How a task says what it waits for."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from gofer_sdk.rules.config import Requirement

Status: TypeAlias = Requirement | Literal["any", "success", "failure"]


class HasId(Protocol):
    """A task, as far as a dependency on it goes."""

    @property
    def id(self) -> str:
        """The task's id."""
        ...


Parent: TypeAlias = HasId | str


@dataclass(frozen=True, slots=True)
class Dependency:
    """A parent by its id, and how it must have ended: `any`, `success` or `failure`."""

    task_id: str
    status: Requirement | str


Dependencies: TypeAlias = Mapping[Parent, Status] | Mapping[str, Status] | Iterable[Parent | Dependency]


def after(task: Parent, status: Status = "success") -> Dependency:
    """Wait for a task, given as itself or by its id, and start only if it ended so.

    "any" is content with success, failure and with a parent that was skipped. A task whose parents did not end as it
    asks for is skipped.
    """
    return Dependency(parent_id(task), status)


def parent_id(parent: Parent) -> str:
    """Return the id of a parent that is given as a task or by its id."""
    return parent if isinstance(parent, str) else parent.id


def pairs_of(dependencies: Dependencies) -> Iterator[tuple[str, str]]:
    """Yield (parent's id, status) for each dependency, in whichever form they were given."""
    if isinstance(dependencies, Mapping):
        for parent, status in dependencies.items():
            yield parent_id(parent), status
        return
    for each in dependencies:
        if isinstance(each, Dependency):
            yield each.task_id, each.status
        else:
            yield parent_id(each), Requirement.SUCCESS
