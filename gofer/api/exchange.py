"""The messages of one call: requests in, of a limited size; replies out, the large ones coded off the loop."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import timedelta
from typing import Final, TypeVar, cast

import betterproto2
from grpclib.server import Stream

from gofer.api.composite import Rpc
from gofer.api.grpclib_inside import Frame, flush, next_frame, read_no_more, send_at_once, send_buffer
from gofer.api.inbox import CutShort
from gofer.api.patience import Patience
from gofer.api.room import SMALL_BYTES, RequestRoom
from gofer.core.errors import InvalidInput, LimitReached, NotImplementedYet, Unavailable
from gofer_sdk.codec import OFF_LOOP_BYTES, MalformedMessage, Raw, decode, encode, rough_size

OPEN_BYTES: Final = 4 * 1024
"""Of a request that needs no token: nothing in it is long."""
TYPED_BYTES: Final = 1024 * 1024
"""Of each request of a call that goes both ways."""
MOST_PARTS: Final = 3_000_000
"""Of a request: a graph of 50,000 tasks with a million dependencies has half as many."""

M = TypeVar("M", bound=betterproto2.Message)


class EncodedMessages(bytes):
    """Whole messages in their wire form, each with its prefix, for a stream of replies to send at once."""

    __slots__ = ()


def encoded_reply(reply_type: type[M], data: bytes) -> M:
    """Let a handler give the bytes of its reply in place of the message, so that nothing is encoded twice."""
    del reply_type  # says what the bytes hold, to the type checker and to readers
    return cast("M", Raw(data))


def encoded_replies(reply_type: type[M], buffer: bytes) -> M:
    """Let the handler of a stream give many replies as one buffer; see `EncodedMessages`."""
    del reply_type
    return cast("M", EncodedMessages(buffer))


def prefixed(message: bytes) -> bytes:
    """Give an encoded message as it stands in a stream: after a prefix that says how long it is."""
    return b"\0" + len(message).to_bytes(4, "big") + message


class Exchange:
    """One call's messages, over grpclib's stream. A client that neither sends nor takes what is due is let go."""

    def __init__(
        self,
        stream: Stream[object, object],
        rpc: Rpc,
        *,
        check: Callable[[object], None],
        max_message_bytes: int,
        room: RequestRoom,
        patience: timedelta,
    ) -> None:
        """Hand each request to `check`, which raises for one that the method must not see."""
        self._stream = stream
        self._rpc = rpc
        self._check = check
        self._max_message_bytes = max_message_bytes
        self._room = room
        self._held_bytes = 0  # of the room
        self._patience = Patience(patience)

    async def answer(self) -> None:
        """Read the request, or let it be read, call the method and send what it gives.

        A method that gives many replies is an async generator, and is closed before this returns or raises.
        `Unavailable` where the client makes the server wait too long.
        """
        try:
            async with self._patience:
                await self._answer()
        except TimeoutError:
            if not self._patience.has_ended:
                raise
            raise Unavailable(
                f"the client has neither sent nor taken anything for {round(self._patience.seconds)} seconds: "
                "go on where it stopped"
            ) from None
        finally:
            self._give_back()

    async def _answer(self) -> None:
        if not self._rpc.cardinality.client_streaming:
            self._patience.begin()
            await self._reply_to(await self._only_request())
            return
        # The first one is looked at before the method is called: it says what the call is about.
        self._patience.begin()
        first = await self._receive()
        async with aclosing(self._requests(first)) as requests:
            await self._reply_to(requests)

    async def _reply_to(self, request: object) -> None:
        self._patience.rest()
        if not self._rpc.cardinality.server_streaming:
            reply = await self._rpc.one_reply(request)
            del request
            self._give_back()  # the client may take its time
            await self._send(reply)
            return
        # Closed here, in the call's own task: else its clean-up would run some time later, in a task of nobody.
        async with aclosing(self._rpc.many_replies(request)) as replies:
            async for reply in replies:
                if isinstance(reply, EncodedMessages) and send_at_once(self._stream, reply):
                    continue
                await self._send(reply)
                flush(self._stream)  # one event goes to many: the first shall not wait for the last
                self._patience.rest()

    async def _requests(self, request: betterproto2.Message | None) -> AsyncGenerator[betterproto2.Message, None]:
        while request is not None:
            self._patience.rest()
            yield request
            request = await self._receive()

    async def _send(self, reply: object) -> None:
        if isinstance(reply, betterproto2.Message) and rough_size(reply) > OFF_LOOP_BYTES:
            reply = Raw(await asyncio.to_thread(encode, reply))
        if isinstance(reply, Raw) and len(reply) > OFF_LOOP_BYTES:
            reply = EncodedMessages(prefixed(reply))
        if isinstance(reply, EncodedMessages):
            await send_buffer(self._stream, reply, going_on=self._patience.begin)
            return
        self._patience.begin()
        await self._stream.send_message(reply)

    async def _only_request(self) -> betterproto2.Message:
        request = await self._receive()
        if request is None:
            raise InvalidInput(f"{self._rpc.name} needs a request message, and none came")
        read_no_more(self._stream)
        return request

    def _give_back(self) -> None:
        held, self._held_bytes = self._held_bytes, 0
        self._room.give_back(held)

    async def _receive(self) -> betterproto2.Message | None:
        self._give_back()
        try:
            frame = await next_frame(self._stream)
            if frame is None:
                return None
            if frame.is_compressed:
                raise NotImplementedYet("the request is compressed, which this server does not read: send it as it is")
            self._check_size(frame)
            self._patience.rest()
            self._held_bytes = await self._room.take(frame.size_bytes)
            request = await self._decoded(await self._body(frame))
        except CutShort:
            raise InvalidInput("the request ends in the middle of a message") from None
        except MalformedMessage as error:
            raise InvalidInput(str(error)) from error
        self._check(request)
        if self._rpc.cardinality.server_streaming:
            self._give_back()  # it is kept for as long as the stream lasts, which may be for ever
        return request

    def _check_size(self, frame: Frame) -> None:
        limit = self._max_message_bytes
        cardinality = self._rpc.cardinality
        if cardinality.server_streaming:
            limit = min(limit, TYPED_BYTES if cardinality.client_streaming else SMALL_BYTES)
        if frame.size_bytes > limit:
            raise LimitReached(
                f"the request has {frame.size_bytes} bytes: {self._rpc.name} takes at most {limit} at once",
                size_bytes=frame.size_bytes,
                limit_bytes=limit,
            )

    async def _body(self, frame: Frame) -> bytes:
        loop = asyncio.get_running_loop()
        since = self._room.mark()
        whole_by = loop.time() + self._patience.seconds

        def going_on() -> None:
            # To go on is enough while nobody else wants the room that it takes.
            if self._held_bytes and loop.time() > whole_by and self._room.is_wanted(since):
                raise Unavailable(
                    f"the request of {frame.size_bytes} bytes comes too slowly while others wait for their turn: "
                    "try again in a moment"
                )
            self._patience.begin()

        return await frame.body(going_on=going_on)

    async def _decoded(self, data: bytes) -> betterproto2.Message:
        if len(data) > OFF_LOOP_BYTES:
            return await asyncio.to_thread(decode, self._rpc.request_type, data, most_parts=MOST_PARTS)
        return decode(self._rpc.request_type, data, most_parts=MOST_PARTS)
