"""Terminals in running tasks."""

from codecs import getincrementaldecoder
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress

from grpclib.exceptions import StreamTerminatedError

from gofer.api.caller import current_caller
from gofer.api.grpclib_inside import CLIENT_HAS_GONE
from gofer.core.errors import InvalidInput
from gofer.engines.terminals import TerminalSize
from gofer.services.attachments import Attachments, AttachWish, Ended, Printed, Typed
from gofer.services.runs import Target
from gofer_sdk._proto import proto


class AttachmentHandlers(proto.GoferBase):
    """The RPC about terminals."""

    def __init__(self, *, attachments: Attachments) -> None:
        """Hand on to the service."""
        self._attachments = attachments

    async def attach_to_task_run(
        self, messages: AsyncIterator[proto.AttachToTaskRunRequest]
    ) -> AsyncIterator[proto.AttachToTaskRunOutput]:
        """Serve AttachToTaskRun."""
        first = await anext(messages, None)
        if first is None or first.init is None:
            raise InvalidInput("the first message must be `init`: name the task run in it")
        init = first.init
        target = Target(namespace=init.namespace_id, pipeline=init.pipeline_id, run=init.run_id, task=init.id)
        wish = AttachWish(command=tuple(init.command), size=_size_of(init.size) or TerminalSize(), term=init.term)
        async with (
            aclosing(_typed(messages)) as typed,
            aclosing(self._attachments.attach(current_caller(), target, wish, typed)) as printed,
            aclosing(_exactly(printed) if init.raw else _as_text(printed)) as replies,
        ):
            async for reply in replies:
                yield reply


async def _typed(messages: AsyncIterator[proto.AttachToTaskRunRequest]) -> AsyncGenerator[Typed, None]:
    """Give what is typed; messages that say nothing of it are passed over, as 0.6 does."""
    with suppress(StreamTerminatedError, *CLIENT_HAS_GONE):  # who has gone types no more
        async for message in messages:
            given = message.input
            if given is None:
                continue
            size = _size_of(given.size)
            if size is not None:
                yield size
            data = given.input.encode() + given.chunk
            if data:
                yield data


async def _exactly(printed: AsyncIterator[Printed]) -> AsyncGenerator[proto.AttachToTaskRunOutput, None]:
    async for each in printed:
        if isinstance(each, Ended):
            yield proto.AttachToTaskRunOutput(exit_code=each.exit_code)
        else:
            yield proto.AttachToTaskRunOutput(chunk=each)


async def _as_text(printed: AsyncIterator[Printed]) -> AsyncGenerator[proto.AttachToTaskRunOutput, None]:
    decoder = getincrementaldecoder("utf-8")(errors="ignore")
    async for each in printed:
        text = "" if isinstance(each, Ended) else decoder.decode(each)
        if text:
            yield proto.AttachToTaskRunOutput(output=text)


def _size_of(size: proto.TerminalSize | None) -> TerminalSize | None:
    return None if size is None else TerminalSize(rows=size.rows, columns=size.columns)
