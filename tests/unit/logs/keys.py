from gofer.core.ids import NamespaceId, PipelineId, RunId, TaskId, TaskRunKey
from gofer.core.output import LogChunk, LogStream


def key_of(task: str = "task", *, namespace: str = "default", pipeline: str = "pipe", run: int = 1) -> TaskRunKey:
    return TaskRunKey(
        namespace=NamespaceId(namespace), pipeline=PipelineId(pipeline), run=RunId(run), task=TaskId(task)
    )


def out(data: bytes) -> LogChunk:
    return LogChunk(stream=LogStream.STDOUT, data=data)


def err(data: bytes) -> LogChunk:
    return LogChunk(stream=LogStream.STDERR, data=data)
