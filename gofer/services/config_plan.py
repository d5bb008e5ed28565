"""What registering a pipeline would come to: whether a version says the same already, passwords included."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gofer.core.errors import FailedPrecondition
from gofer.core.ids import TaskId
from gofer.core.pipeline import Pipeline, PipelineConfig, RegistryAuth, Task

Open = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """A config as it would be stored, and the versions that may say the same already, best first."""

    pipeline: Pipeline
    wanted: PipelineConfig
    live: PipelineConfig | None
    newest: PipelineConfig | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigPlan:
    """What registering would come to.

    `config` is the version that says the same, if `is_same`, else the one that would be stored. `changed_passwords`
    names the tasks whose password for their image's registry is another one than in the live version.
    """

    pipeline: Pipeline
    config: PipelineConfig
    is_same: bool
    changed_passwords: tuple[TaskId, ...]


def plan_of(candidates: Candidates, *, opened: Open) -> ConfigPlan:
    """Compare the wanted config with the live version, then with the newest one."""
    wanted, live = candidates.wanted, candidates.live
    same = next(
        (found for found in (live, candidates.newest) if found and _says_same(found, wanted, opened=opened)), None
    )
    return ConfigPlan(
        pipeline=candidates.pipeline,
        config=same or wanted,
        is_same=same is not None,
        changed_passwords=_changed_passwords(live.tasks if live else (), wanted.tasks, opened=opened),
    )


def _says_same(one: PipelineConfig, other: PipelineConfig, *, opened: Open) -> bool:
    tasks = {task.id: task for task in one.tasks}
    return (
        not one.damage
        and (one.name, one.description, one.parallelism, one.run_timeout)
        == (other.name, other.description, other.parallelism, other.run_timeout)
        and len(one.tasks) == len(other.tasks)
        and all(task.id in tasks and _is_same_task(tasks[task.id], task, opened=opened) for task in other.tasks)
    )


def _is_same_task(one: Task, other: Task, *, opened: Open) -> bool:
    if replace(one, registry_auth=None) != replace(other, registry_auth=None):
        return False
    old, new = one.registry_auth, other.registry_auth
    if old is None or new is None:
        return old is new
    return old.user == new.user and not _is_other_password(old, new, opened=opened)


def _changed_passwords(live: Sequence[Task], wanted: Sequence[Task], *, opened: Open) -> tuple[TaskId, ...]:
    known = {task.id: task.registry_auth for task in live}
    return tuple(
        task.id
        for task in wanted
        if task.registry_auth
        and (old := known.get(task.id)) is not None
        and _is_other_password(old, task.registry_auth, opened=opened)
    )


def _is_other_password(one: RegistryAuth, other: RegistryAuth, *, opened: Open) -> bool:
    try:
        return opened(one.sealed_password) != opened(other.sealed_password)
    except FailedPrecondition:  # its key is gone: a new registration is what mends that
        return True
