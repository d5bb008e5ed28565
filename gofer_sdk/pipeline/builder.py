"""Pipelines and tasks as values: typed, immutable, checked as a whole when the pipeline is made."""

import os
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType

from gofer_sdk._proto import proto
from gofer_sdk.codec import encode
from gofer_sdk.pipeline import shapes
from gofer_sdk.pipeline.dependencies import Dependencies, Dependency, pairs_of
from gofer_sdk.pipeline.faults import Origin, PipelineFault, PipelineFaults, find_origin
from gofer_sdk.rules.config import ConfigDraft, TaskDraft, find_faults, find_requirement
from gofer_sdk.rules.durations import format_duration
from gofer_sdk.rules.text import quoted

MESSAGE_PATH_VARIABLE = "GOFER_PIPELINE_MESSAGE_PATH"
"""Names the file that `Pipeline.emit` writes to instead of the standard output, if it is set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAuth:
    """What opens a private image registry."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One container of a pipeline.

    Attributes:
        id: 3 to 32 letters, digits and underscores, unique in the pipeline.
        image: the container image, such as `busybox:latest`.
        description: for people; any text.
        command: replaces the command of the image.
        entrypoint: replaces the entrypoint of the image.
        script: a text for the interpreter to run instead of a command and entrypoint; its common indentation is
            taken away, so that it can be written indented between triple quotes.
        interpreter: what runs the script, which is its last argument.
        variables: the environment of the container; values may be references (`secret("key")` and the like).
        registry_auth: what opens the registry of the image.
        inject_api_token: give the task a token for Gofer's API as GOFER_API_TOKEN.
        timeout: how long the container may run, such as `"1h30m"` or a `timedelta`; it is ended then, and the task has
            failed. Empty or 0 = as long as it likes.
        depends_on: tasks that must end before this one starts: a list of tasks, ids and `after(task, status)`, or a
            mapping of tasks or ids to statuses. A task or an id alone asks for success.

    Faults are told by the pipeline, all together.

    """

    id: str
    image: str
    description: str = ""
    command: Sequence[str] = ()
    entrypoint: Sequence[str] = ()
    script: str | None = field(default=None, repr=False)
    interpreter: Sequence[str] = ("/bin/sh", "-c")
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    registry_auth: RegistryAuth | None = None
    inject_api_token: bool = False
    timeout: str | timedelta = ""
    depends_on: Dependencies = ()
    origin: Origin | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        """Keep copies that nobody can change, and the line that the task was written on."""
        object.__setattr__(self, "origin", find_origin())
        for name in ("command", "entrypoint", "interpreter"):
            if not isinstance(getattr(self, name), Mapping | AbstractSet):  # which have lost the order, and are faults
                object.__setattr__(self, name, _frozen(getattr(self, name)))
        object.__setattr__(self, "depends_on", _frozen(self.depends_on))
        if isinstance(self.variables, Mapping):
            object.__setattr__(self, "variables", _frozen(self.variables))

    def __hash__(self) -> int:
        """Tasks can be keys, such as those of `depends_on`."""
        return hash(self.id)

    def draft(self) -> TaskDraft:
        """Return the task in the form that the rules judge."""
        return TaskDraft(
            id=self.id,
            image=self.image,
            description=self.description,
            depends_on=dict(pairs_of(self.depends_on)),
            variables=self.variables,
            entrypoint=tuple(self.entrypoint if self.script is None else self.interpreter),
            command=tuple(self.command) if self.script is None else (_unindented(self.script),),
            registry_user=self.registry_auth.user if self.registry_auth else "",
            registry_password=self.registry_auth.password if self.registry_auth else "",
            timeout=_timeout_text(self.timeout),
        )

    def shape_faults(self) -> Iterator[str]:
        """Yield what is wrong with the types of the fields, and which fields exclude each other."""
        yield from shapes.text_faults(self.id, "its id")
        yield from shapes.text_faults(self.image, "its image")
        yield from shapes.text_faults(self.description, "its description")
        yield from shapes.list_faults(self.command, "its command", str, '["make", "all"]')
        yield from shapes.list_faults(self.entrypoint, "its entrypoint", str, '["/bin/sh", "-c"]')
        yield from shapes.list_faults(self.interpreter, "its interpreter", str, '["/bin/sh", "-c"]')
        yield from shapes.mapping_faults(self.variables, "its variables", str, '{"KEY": "value"}')
        yield from shapes.flag_faults(self.inject_api_token, "its inject_api_token")
        yield from shapes.timeout_faults(self.timeout, "its timeout")
        yield from _registry_faults(self.registry_auth)
        yield from self._script_faults()
        dependency_faults = tuple(self._dependency_shape_faults())
        yield from dependency_faults or _contradictions(self.depends_on)

    def _script_faults(self) -> Iterator[str]:
        if self.script is None:
            return
        yield from shapes.text_faults(self.script, "its script")
        if self.command or self.entrypoint:
            yield "it has a script beside a command or an entrypoint: a script takes the place of both"
        if not self.interpreter:
            yield "it has a script and no interpreter to run it"
        if not str(self.script).strip():
            yield "its script is empty"

    def _dependency_shape_faults(self) -> Iterator[str]:
        example = '[other_task, after(another, "failure")]'
        given: object = self.depends_on
        if isinstance(given, Mapping):
            yield from shapes.mapping_faults(given, "its depends_on", (Task, str), '{other_task: "failure"}')
            return
        yield from shapes.list_faults(given, "its depends_on", (Task, str, Dependency), example)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A graph of tasks under an id. To make one is to check it.

    Attributes:
        id: 3 to 32 letters, digits and underscores, unique in its namespace.
        tasks: in any order.
        name: for people; the id where it is left out.
        description: for people; any text.
        parallelism: at most so many runs of it at a time; 0 = no limit of its own.
        run_timeout: how long a run of it may take from its admission, such as `"8h"` or a `timedelta`; what is left is
            ended then, and the run has failed. Empty or 0 = as long as it takes. A run may be given another one.

    Raises:
        PipelineFaults: the pipeline or its tasks break a rule; all faults are told together.

    """

    id: str
    tasks: Sequence[Task]
    name: str = ""
    description: str = ""
    parallelism: int = 0
    run_timeout: str | timedelta = ""
    origin: Origin | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        """Keep a copy of the tasks that nobody can change, and refuse what breaks a rule."""
        object.__setattr__(self, "origin", find_origin())
        object.__setattr__(self, "tasks", _frozen(self.tasks))
        faults = tuple(self._shape_faults()) or tuple(self._rule_faults())
        if faults:
            raise PipelineFaults(faults)

    def draft(self) -> ConfigDraft:
        """Return the pipeline in the form that the rules judge."""
        return ConfigDraft(
            id=self.id,
            name=self.name or self.id,
            description=self.description,
            parallelism=self.parallelism,
            tasks=tuple(task.draft() for task in self.tasks),
            run_timeout=_timeout_text(self.run_timeout),
        )

    def to_message(self) -> proto.UserPipelineConfig:
        """Return the message that is registered with a Gofer server."""
        return proto.UserPipelineConfig(
            id=self.id,
            name=self.name or self.id,
            description=self.description,
            parallelism=self.parallelism,
            tasks=[_task_message(task) for task in self.tasks],
            run_timeout=_timeout_text(self.run_timeout),
        )

    def emit(self) -> None:
        """Write the serialized message to the standard output, as a program that `gofer up` runs has to.

        Raises:
            SystemExit: the standard output is a terminal, which a binary message would only garble; or `gofer up` runs
                the program, and something was emitted before: a program describes one pipeline.

        """
        data = encode(self.to_message())
        path = os.environ.get(MESSAGE_PATH_VARIABLE)
        if path:
            try:
                with open(path, "xb") as file:  # noqa: PTH123 (pathlib has no exclusive write)
                    file.write(data)
            except FileExistsError:
                text = f"{find_origin()}: this emits a second pipeline: a program describes one, so call emit() once"
                raise SystemExit(text) from None
            return
        if sys.stdout.isatty():
            raise SystemExit("The pipeline is fine. To register it run `gofer up`, or send this output to a file.")
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.flush()

    def _shape_faults(self) -> Iterator[PipelineFault]:
        own = (
            *shapes.text_faults(self.id, "the pipeline's id"),
            *shapes.text_faults(self.name, "the pipeline's name"),
            *shapes.text_faults(self.description, "the pipeline's description"),
            *shapes.number_faults(self.parallelism, "the pipeline's parallelism"),
            *shapes.timeout_faults(self.run_timeout, "the pipeline's run timeout"),
            *shapes.list_faults(self.tasks, "the pipeline's tasks", Task, "[build, check]"),
        )
        yield from (PipelineFault(text=text, origin=self.origin) for text in own)
        for task in self.tasks if isinstance(self.tasks, tuple) else ():
            for text in task.shape_faults() if isinstance(task, Task) else ():
                yield PipelineFault(text=f"task {quoted(str(task.id))}: {text}", origin=task.origin)

    def _rule_faults(self) -> Iterator[PipelineFault]:
        for fault in find_faults(self.draft()):
            place = self if fault.task_index is None else self.tasks[fault.task_index]
            yield PipelineFault(text=fault.text, origin=place.origin)


def _task_message(task: Task) -> proto.UserPipelineTaskConfig:
    draft = task.draft()
    numbers = proto.UserPipelineTaskConfigRequiredParentStatus
    auth = task.registry_auth
    return proto.UserPipelineTaskConfig(
        id=draft.id,
        description=draft.description,
        image=draft.image,
        registry_auth=proto.RegistryAuth(user=auth.user, pass_=auth.password) if auth else None,
        depends_on={
            parent: numbers[requirement.name]
            for parent, status in draft.depends_on.items()
            if (requirement := find_requirement(status)) is not None
        },
        variables=dict(draft.variables),
        entrypoint=list(draft.entrypoint),
        command=list(draft.command),
        inject_api_token=task.inject_api_token,
        timeout=draft.timeout,
    )


def _registry_faults(auth: object) -> Iterator[str]:
    if auth is None:
        return
    if not isinstance(auth, RegistryAuth):
        yield "its registry_auth is no RegistryAuth: write RegistryAuth(user=..., password=...)"
        return
    yield from shapes.text_faults(auth.user, "its registry user")
    yield from shapes.hidden_text_faults(auth.password, "its registry password")


def _contradictions(dependencies: Dependencies) -> Iterator[str]:
    seen: dict[str, str] = {}
    for parent, status in pairs_of(dependencies):
        if seen.setdefault(parent, status) != status:
            yield f"it depends on {quoted(parent)} with both {seen[parent]} and {status}: choose one"


def _timeout_text(timeout: str | timedelta) -> str:
    return timeout if isinstance(timeout, str) else format_duration(timeout)


def _unindented(script: str) -> str:
    return textwrap.dedent(script).strip("\n") + "\n"


def _frozen(value: object) -> object:
    if isinstance(value, Mapping):
        return MappingProxyType(dict(value))
    return tuple(value) if isinstance(value, Iterable) and not isinstance(value, str | bytes) else value
