"""The rules for a whole pipeline configuration: every fault is found and told in one go.

The SDK fills a `ConfigDraft` from what an author built, the server from the message that it was sent, and both ask
`config_faults`. The limits below are Gofer's own. Those for single strings and for a task's start are what Linux
takes: an argument or variable of 128 KiB, and all of them together well under its 2 MiB.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Final

from gofer_sdk.rules.graph import find_graph_faults
from gofer_sdk.rules.ids import fault_of_id
from gofer_sdk.rules.text import fault_of_text, quoted
from gofer_sdk.rules.timeouts import timeout_fault

MAX_TASKS: Final = 50_000
MAX_DEPENDENCIES: Final = 1_000_000
MAX_PARALLELISM: Final = 2**63 - 1
MAX_NAME_BYTES: Final = 1_024
MAX_DESCRIPTION_BYTES: Final = 64 * 1_024
MAX_IMAGE_BYTES: Final = 4_096
MAX_ARGUMENT_BYTES: Final = 128 * 1_024 - 1
MAX_TASK_START_BYTES: Final = 1_024 * 1_024


class Requirement(StrEnum):
    """How a parent must have ended for its dependent to start."""

    ANY = "any"
    SUCCESS = "success"
    FAILURE = "failure"


REQUIREMENT_BY_NUMBER: Final[Mapping[int, Requirement]] = {
    1: Requirement.ANY,
    2: Requirement.SUCCESS,
    3: Requirement.FAILURE,
}
"""The numbers of the wire; 0 is "not set" there and no requirement."""


def find_requirement(value: int | str) -> Requirement | None:
    """Return the requirement that a wire number or a word (in any case) stands for, None for any other."""
    if isinstance(value, str):
        return next((each for each in Requirement if each.value == value.lower()), None)
    return REQUIREMENT_BY_NUMBER.get(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDraft:
    """One task as somebody wrote it, nothing checked yet. `depends_on` maps a parent's id to its requirement."""

    id: str
    image: str
    description: str = ""
    depends_on: Mapping[str, int | str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    registry_user: str = ""
    registry_password: str = field(default="", repr=False)
    inject_api_token: bool = False
    timeout: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigDraft:
    """A pipeline configuration as somebody wrote it, nothing checked yet. `parallelism` 0 means no limit.

    Timeouts are Go durations, empty or 0 for none.
    """

    id: str
    name: str = ""
    description: str = ""
    parallelism: int = 0
    tasks: tuple[TaskDraft, ...] = ()
    run_timeout: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault in words, and where it lies: in a task, by its place in the list from 0, or in the whole pipeline."""

    text: str
    task_index: int | None = None


def config_faults(config: ConfigDraft) -> tuple[str, ...]:
    """List every fault of a configuration, each a sentence that names its place and what to do; empty if it is good."""
    return tuple(fault.text for fault in find_faults(config))


def find_faults(config: ConfigDraft) -> Iterator[Fault]:
    """Yield every fault of a configuration with the task that it lies in; nothing if the configuration is good."""
    for text in (*_pipeline_faults(config), *_size_faults(config)):
        yield Fault(text=text)
    for index, task in enumerate(config.tasks):
        for text in task_faults(task, number=index + 1):
            yield Fault(text=text, task_index=index)
    indices = {task.id: index for index, task in enumerate(config.tasks)}
    for task_id, text in find_graph_faults((task.id, task.depends_on) for task in config.tasks):
        yield Fault(text=text, task_index=indices[task_id])


def task_faults(task: TaskDraft, *, number: int) -> Iterator[str]:
    """Yield every fault that a task has on its own; `number` counts from 1 and names a task whose id is bad."""
    fault = fault_of_id(task.id, "task id")
    place = f"task number {number}" if fault else f"task {quoted(task.id)}"
    if fault:
        yield f"{place}: {fault}"
    for text in _task_text_faults(task):
        yield f"{place}: {text}"
    for parent, required in task.depends_on.items():
        if find_requirement(required) is None:
            yield (
                f"{place}: the dependency on {quoted(parent)} has the unknown status {quoted(str(required))}: "
                "use any, success or failure"
            )


def variable_faults(key: str, value: str) -> Iterator[str]:
    """Yield every fault of one environment variable."""
    if not key:
        yield "a variable has an empty key: give it a name"
        return
    if "=" in key:
        yield f"the variable key {quoted(key)} holds a '=', which no environment variable may have in its name"
    yield from _found(fault_of_text(key, what=f"the variable key {quoted(key)}", max_bytes=MAX_ARGUMENT_BYTES))
    # The kernel's limit is one for the whole string KEY=VALUE.
    room = max(MAX_ARGUMENT_BYTES - 1 - len(key.encode(errors="replace")), 0)
    yield from _found(fault_of_text(value, what=f"the value of variable {quoted(key)}", max_bytes=room))


def _pipeline_faults(config: ConfigDraft) -> Iterator[str]:
    yield from _found(fault_of_id(config.id, "pipeline id"))
    yield from _found(fault_of_text(config.name, what="pipeline name", max_bytes=MAX_NAME_BYTES))
    yield from _found(fault_of_text(config.description, what="pipeline description", max_bytes=MAX_DESCRIPTION_BYTES))
    if not 0 <= config.parallelism <= MAX_PARALLELISM:
        yield f"parallelism {config.parallelism} is not allowed: use 0 for no limit, or a positive number"
    yield from _found(timeout_fault(config.run_timeout, what="run timeout"))


def _size_faults(config: ConfigDraft) -> Iterator[str]:
    if len(config.tasks) > MAX_TASKS:
        yield f"the pipeline has {len(config.tasks):,} tasks and at most {MAX_TASKS:,} are allowed: split it"
    dependencies = sum(len(task.depends_on) for task in config.tasks)
    if dependencies > MAX_DEPENDENCIES:
        yield f"the pipeline has {dependencies:,} dependencies and at most {MAX_DEPENDENCIES:,} are allowed: split it"


def _task_text_faults(task: TaskDraft) -> Iterator[str]:
    argument = partial(fault_of_text, max_bytes=MAX_ARGUMENT_BYTES)
    yield from _found(fault_of_text(task.description, what="its description", max_bytes=MAX_DESCRIPTION_BYTES))
    yield from _image_faults(task.image)
    yield from _each(task.entrypoint, what="entrypoint", check=argument)
    yield from _each(task.command, what="command", check=argument)
    yield from _found(argument(task.registry_user, what="its registry user"))
    yield from _found(argument(task.registry_password, what="its registry password"))
    yield from _found(timeout_fault(task.timeout, what="its timeout"))
    for key, value in task.variables.items():
        yield from variable_faults(key, value)
    size_bytes = _start_size_bytes(task)
    if size_bytes > MAX_TASK_START_BYTES:
        yield (
            f"its command, entrypoint and variables have {size_bytes:,} bytes together and at most "
            f"{MAX_TASK_START_BYTES:,} are allowed: pass large data as an object"
        )


def _image_faults(image: str) -> Iterator[str]:
    if not image.strip():
        yield "it has no image: name a container image, such as busybox:latest"
        return
    fault = fault_of_text(image, what="its image", max_bytes=MAX_IMAGE_BYTES)
    if fault is None and any(character.isspace() or not character.isprintable() for character in image):
        fault = f"its image {quoted(image)} holds white space or control characters; remove them"
    yield from _found(fault)


def _start_size_bytes(task: TaskDraft) -> int:
    strings = (*task.entrypoint, *task.command, *task.variables, *task.variables.values())
    return sum(len(string.encode(errors="replace")) + 1 for string in strings)


def _each(values: Iterable[str], *, what: str, check: Callable[..., str | None]) -> Iterator[str]:
    for number, value in enumerate(values, 1):
        yield from _found(check(value, what=f"part {number} of its {what}"))


def _found(fault: str | None) -> Iterator[str]:
    if fault is not None:
        yield fault
