"""Events."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from gofer_sdk._proto import proto
from gofer_sdk.client.calls import Calls
from gofer_sdk.client.listed import listed
from gofer_sdk.client.present import present


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events to give; what is empty or 0 filters nothing.

    Attributes:
        kinds: such as RUN_STARTED.
        namespace: their namespace; empty is every one that the token opens, not the client's own.
        pipeline: their pipeline; needs `namespace`.
        run: their run; needs `pipeline`.

    """

    kinds: tuple[str, ...] = ()
    namespace: str = ""
    pipeline: str = ""
    run: int = 0


class EventCalls:
    """What has happened, and what happens."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def get(self, event: int) -> proto.Event:
        """Return one event.

        Raises NotFound.
        """
        request = proto.GetEventRequest(id=event)
        reply = await self._calls.safe(request, proto.GetEventResponse)
        return present(reply.event, request)

    async def list(
        self,
        *,
        only: EventFilter | None = None,
        after_id: int = 0,
        reverse: bool = False,
        follow: bool = False,
        limit: int = 0,
    ) -> AsyncGenerator[proto.Event, None]:
        """Yield events, oldest first, or newest first with `reverse`.

        With `follow` those that happen from now on come after those that are there, until the caller leaves; a lost
        connection is made again and goes on after the last event given: none is lost and none comes twice. `limit` 0
        is no limit. Raises InvalidInput, PermissionDenied; Unavailable where a reverse list breaks.
        """
        only = only or EventFilter()
        request = proto.ListEventsRequest(
            reverse=reverse,
            follow=follow,
            after_id=after_id,
            kinds=listed(only.kinds, "kinds"),
            namespace_id=only.namespace,
            pipeline_id=only.pipeline,
            run_id=only.run,
            limit=limit,
        )
        stream = self._calls.stream if reverse else self._calls.resumed
        async with aclosing(stream(request, proto.ListEventsResponse)) as answers:
            async for answer in answers:
                event = present(answer.event, request)
                if not reverse and event.id <= request.after_id:
                    continue
                if not reverse:  # what the stream goes on after, should it break
                    request.after_id = event.id
                request.limit = max(request.limit - 1, 0)
                yield event
                if limit and request.limit == 0:
                    return

    async def wait_for(self, only: EventFilter, *, after_id: int) -> None:
        """Return when such an event has come after the one with that id, however long that takes.

        Through restarts of the server, too. Raises CallFailed.
        """
        async with aclosing(self.list(only=only, after_id=after_id, follow=True, limit=1)) as events:
            async for _ in events:
                return
