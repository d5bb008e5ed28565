"""Write a pipeline in Python.

    from gofer_sdk.pipeline import Pipeline, Task, after, secret

    build = Task(id="build", image="busybox:latest", script="echo building")
    tell = Task(id="tell", image="busybox:latest", script="echo it failed", depends_on=[after(build, "failure")])

    pipeline = Pipeline(id="nightly", name="Nightly build", tasks=[build, tell])

`gofer up` runs such a file and registers what it finds.
"""

from gofer_sdk.pipeline.builder import Pipeline, RegistryAuth, Task
from gofer_sdk.pipeline.dependencies import Dependency, after
from gofer_sdk.pipeline.faults import Origin, PipelineFault, PipelineFaults
from gofer_sdk.pipeline.values import global_secret, pipeline_object, run_object, secret
from gofer_sdk.rules.config import Requirement

__all__ = [
    "Dependency",
    "Origin",
    "Pipeline",
    "PipelineFault",
    "PipelineFaults",
    "RegistryAuth",
    "Requirement",
    "Task",
    "after",
    "global_secret",
    "pipeline_object",
    "run_object",
    "secret",
]
