"""Handler objects for tests of what lies around them: a few calls do what a test says, all others are refused."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing

from gofer.api.composite import Composite
from gofer.core.errors import NotImplementedYet
from gofer_sdk._proto import proto

Get = Callable[[proto.GetPipelineRequest], Awaitable[proto.GetPipelineResponse]]
Attach = Callable[[AsyncIterator[proto.AttachToTaskRunRequest]], AsyncGenerator[proto.AttachToTaskRunOutput, None]]
Logs = Callable[[proto.GetTaskRunLogsRequest], AsyncGenerator[proto.GetTaskRunLogsResponse, None]]


class Scripted(proto.GoferBase):
    """Answers one call of each kind; the test puts in what happens in them."""

    def __init__(self, *, get: Get | None = None, logs: Logs | None = None, attach: Attach | None = None) -> None:
        self.get = get
        self.logs = logs
        self.attach = attach or _in_capitals

    async def get_pipeline(self, message: proto.GetPipelineRequest) -> proto.GetPipelineResponse:
        assert self.get is not None
        return await self.get(message)

    async def get_task_run_logs(
        self, message: proto.GetTaskRunLogsRequest
    ) -> AsyncIterator[proto.GetTaskRunLogsResponse]:
        assert self.logs is not None
        async with aclosing(self.logs(message)) as replies:
            async for reply in replies:
                yield reply

    async def attach_to_task_run(
        self, messages: AsyncIterator[proto.AttachToTaskRunRequest]
    ) -> AsyncIterator[proto.AttachToTaskRunOutput]:
        async with aclosing(self.attach(messages)) as replies:
            async for reply in replies:
                yield reply


async def _in_capitals(
    messages: AsyncIterator[proto.AttachToTaskRunRequest],
) -> AsyncGenerator[proto.AttachToTaskRunOutput, None]:
    async for message in messages:
        assert message.input is not None
        yield proto.AttachToTaskRunOutput(output=message.input.input.upper())


def compose(*parts: proto.GoferBase) -> Composite:
    """Make a complete service of `parts`, with everything else refused."""
    return Composite(*parts, rest_of(*parts))


def rest_of(*parts: proto.GoferBase) -> proto.GoferBase:
    """Make the handler object that owns and refuses every call that none of `parts` owns."""
    owned = {name for part in parts for name in vars(type(part))}
    methods: dict[str, object] = {}
    for handler in proto.GoferBase().__mapping__().values():
        name = handler.func.__name__.removeprefix("__rpc_")
        if name not in owned:
            methods[name] = _refuse_many if handler.cardinality.server_streaming else _refuse
    rest = type("Rest", (proto.GoferBase,), methods)()
    assert isinstance(rest, proto.GoferBase)
    return rest


async def _refuse(self: object, message: object) -> object:
    raise NotImplementedYet("not in this test")


async def _refuse_many(self: object, message: object) -> AsyncIterator[object]:
    yield await _refuse(self, message)
