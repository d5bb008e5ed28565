"""The environment of a task run: what is given for one run beats the pipeline's config, which beats the system."""

from collections.abc import Mapping
from typing import Final

from gofer.core.pipeline import Task
from gofer.core.run import Run, Variable, VariableSource

API_TOKEN: Final = "GOFER_API_TOKEN"  # noqa: S105 (the name of a variable)
CLI_TOKEN: Final = "GOFER_CLI_TOKEN"  # noqa: S105 (as above)
CLI_HOST: Final = "GOFER_CLI_HOST"
CLI_NAMESPACE: Final = "GOFER_CLI_NAMESPACE"
CLI_TLS_CA: Final = "GOFER_CLI_TLS_CA"
INJECTED: Final = "<injected>"
"""What is stored and shown in the place of a value that is made at launch."""


def system_variables(run: Run, task: Task) -> dict[str, str]:
    """Name the run and the task to the container.

    A task that asks for a token gets with it what the command line needs to work inside it; `INJECTED` holds the place
    of what is known at launch only.
    """
    variables = {
        "GOFER_NAMESPACE_ID": str(run.namespace),
        "GOFER_PIPELINE_ID": str(run.pipeline),
        "GOFER_RUN_ID": str(run.id),
        "GOFER_TASK_ID": str(task.id),
        "GOFER_TASK_IMAGE": task.image,
    }
    if not task.inject_api_token:
        return variables
    return variables | {
        API_TOKEN: INJECTED,
        CLI_TOKEN: INJECTED,
        CLI_HOST: INJECTED,
        CLI_NAMESPACE: str(run.namespace),
        CLI_TLS_CA: INJECTED,
    }


def environment(run: Run, task: Task) -> tuple[Variable, ...]:
    """Give the variables of a task run as they are stored and shown; a reference stays a reference.

    Keys compare exactly and keep their spelling; none comes twice, and the empty one is dropped. The order is that of
    the sources, system first, and within a source the order in which it was given; what is beaten leaves its place to
    what beats it.
    """
    sources: tuple[tuple[VariableSource, Mapping[str, str]], ...] = (
        (VariableSource.SYSTEM, system_variables(run, task)),
        (VariableSource.PIPELINE_CONFIG, task.variables),
        (VariableSource.RUN_OPTIONS, run.variables),
    )
    merged = {
        key: Variable(key=key, value=value, source=source)
        for source, variables in sources
        for key, value in variables.items()
        if key
    }
    return tuple(merged.values())
