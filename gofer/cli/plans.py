"""What would change if a pipeline were registered and deployed: field by field against its live version."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from gofer.cli.output import Output
from gofer.cli.tables import Cell, Style

if TYPE_CHECKING:
    from gofer_sdk._proto import proto

Value: TypeAlias = str | int | bool | list[str]

HIDDEN: Final = "***"
"""What the server shows of a password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field that would change, by its path; None = it is not there, or has the value of one that is not."""

    path: str
    before: Value | None
    after: Value | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What `gofer up` would do: versions count from 1, `live` and `deploys` are 0 and False where there is none.

    `version` is the one that would be registered, or that says the same and stays.
    """

    pipeline: str
    live: int
    version: int
    registers: bool
    deploys: bool
    changes: tuple[Change, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all would change."""
        return not (self.registers or self.deploys)

    def to_dict(self) -> dict[str, object]:
        """Return it as a tree for JSON."""
        return {
            "pipeline": self.pipeline,
            "liveVersion": self.live,
            "version": self.version,
            "registers": self.registers,
            "deploys": self.deploys,
            "changes": [{"path": each.path, "before": each.before, "after": each.after} for each in self.changes],
        }


def changes_between(
    live: "proto.PipelineConfig | None", wanted: "proto.PipelineConfig", *, changed_passwords: Sequence[str] = ()
) -> tuple[Change, ...]:
    """Return the fields in which two versions differ, those of the pipeline first, then task by task.

    Passwords are hidden in both: `changed_passwords` names the tasks whose has changed all the same.
    """
    old = dict(_fields(live)) if live else {}
    new = dict(_fields(wanted))
    passwords = {f"tasks.{task}.registry_auth.pass" for task in changed_passwords}
    return tuple(
        Change(path=path, before=old.get(path), after=new.get(path))
        for path in _in_order(old, new)
        if old.get(path) != new.get(path) or path in passwords
    )


def show_plan(plan: Plan, output: Output) -> None:
    """Print a plan: the changes as data, and what would be done."""
    output.json(plan)
    output.painted([_line(change, output) for change in plan.changes])
    instead = f" in place of version {plan.live}" if plan.live else ", the first one to be live"
    match plan.registers, plan.deploys:
        case True, True:
            output.hint(f"{plan.pipeline}: version {plan.version} would be registered, and deployed{instead}")
        case True, False:
            output.hint(f"{plan.pipeline}: version {plan.version} would be registered, and not deployed")
        case False, True:
            output.hint(f"{plan.pipeline}: version {plan.version}, which says the same, would be deployed{instead}")
        case _:
            output.success(f"nothing would change: version {plan.version} of {plan.pipeline} says the same")


def _line(change: Change, output: Output) -> Cell:
    arrow = "->" if output.is_ascii else "→"
    if change.before is None:
        return Cell(f"+ {change.path}: {_written(change.after)}", Style.GOOD)
    if change.after is None:
        return Cell(f"- {change.path}: {_written(change.before)}", Style.BAD)
    if change.before == change.after == HIDDEN:
        return Cell(f"~ {change.path}: another one, which is not shown", Style.WARN)
    return Cell(f"~ {change.path}: {_written(change.before)} {arrow} {_written(change.after)}", Style.WARN)


def _written(value: Value | None) -> str:
    return json.dumps(value, ensure_ascii=False)


def _in_order(old: Mapping[str, Value], new: Mapping[str, Value]) -> list[str]:
    """Return all paths: those of the pipeline, then task by task; in each what is new comes before what is gone."""
    return sorted(dict.fromkeys((*new, *old)), key=_owner)


def _owner(path: str) -> str:
    first, _, rest = path.partition(".")
    return f"{first}.{rest.partition('.')[0]}" if rest else ""


def _fields(config: "proto.PipelineConfig") -> Iterator[tuple[str, Value]]:
    yield from _set(
        {
            "name": config.name,
            "description": config.description,
            "parallelism": config.parallelism,
            "run_timeout": config.run_timeout,
        },
        prefix="",
    )
    for name in sorted(config.tasks):
        # A task without another field is there all the same.
        yield f"tasks.{name}.image", config.tasks[name].image
        yield from _task_fields(config.tasks[name], f"tasks.{name}.")


def _task_fields(task: "proto.Task", prefix: str) -> Iterator[tuple[str, Value]]:
    auth = task.registry_auth
    fields: dict[str, Value] = {
        "description": task.description,
        "entrypoint": list(task.entrypoint),
        "command": list(task.command),
        "inject_api_token": task.inject_api_token,
        "timeout": task.timeout,
        "registry_auth.user": auth.user if auth else "",
        "registry_auth.pass": HIDDEN if auth else "",
    }
    yield from _set(fields, prefix=prefix)
    for parent in sorted(task.depends_on):
        yield f"{prefix}depends_on.{parent}", (task.depends_on[parent].name or "").lower()
    for variable in sorted(task.variables, key=lambda each: each.key):
        yield f"{prefix}variables.{variable.key}", variable.value


def _set(fields: Mapping[str, Value], *, prefix: str) -> Iterator[tuple[str, Value]]:
    return ((f"{prefix}{name}", value) for name, value in fields.items() if value)
