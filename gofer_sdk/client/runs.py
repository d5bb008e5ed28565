"""Runs."""

import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from gofer_sdk._proto import proto
from gofer_sdk.client.calls import Calls
from gofer_sdk.client.events import EventCalls, EventFilter
from gofer_sdk.client.page import Page, each_of
from gofer_sdk.client.present import present

RUN_COMPLETED = "RUN_COMPLETED"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedRun:
    """A run as it was stored, usually PENDING; `existing` says that an earlier call had started it."""

    run: proto.Run
    existing: bool = False


class RunCalls:
    """The executions of pipelines.

    `namespace` empty is the client's own, everywhere. A list's `limit` 0 is the server's own limit.
    """

    def __init__(self, calls: Calls, events: EventCalls) -> None:
        self._calls = calls
        self._events = events

    async def start(
        self,
        pipeline: str,
        *,
        variables: Mapping[str, str] | None = None,
        initiator: proto.Initiator | None = None,
        request_id: str = "",
        run_timeout: str = "",
        namespace: str = "",
    ) -> StartedRun:
        """Start a run of the live version, and return it as it was stored, usually PENDING.

        The same request id for the same pipeline within 24 hours gives the same run, with `existing` set. Without one
        the client makes one, so that a call whose answer was lost is made again safely. `variables` beat those of the
        pipeline and are taken literally. `run_timeout` is a Go duration such as `2h`: empty is that of the pipeline,
        0 no limit. The initiator is a bot by the name of `gofer_sdk` unless another is given.

        Raises InvalidInput, NotFound, FailedPrecondition (disabled, or no version is live), PermissionDenied.
        """
        request = proto.StartRunRequest(
            namespace_id=self._calls.namespace(namespace),
            pipeline_id=pipeline,
            variables=dict(variables or {}),
            initiator=initiator or proto.Initiator(type=proto.InitiatorType.BOT, name="gofer_sdk"),
            request_id=request_id or uuid.uuid4().hex,
            timeout=run_timeout,
        )
        reply = await self._calls.safe(request, proto.StartRunResponse)
        return StartedRun(run=present(reply.run, request), existing=reply.existing)

    async def retry(
        self,
        pipeline: str,
        run: int,
        *,
        same_version: bool = False,
        initiator: proto.Initiator | None = None,
        request_id: str = "",
        namespace: str = "",
    ) -> StartedRun:
        """Start another run with the variables of an old one, and return it as it was stored, usually PENDING.

        It is of the live version, or with `same_version` of the one that the old run had. The initiator is a bot by the
        name of `gofer_sdk` unless another is given. `request_id` is as that of `start`.

        Raises NotFound, FailedPrecondition (disabled, or no version is live), PermissionDenied.
        """
        request = proto.RetryRunRequest(
            namespace_id=self._calls.namespace(namespace),
            pipeline_id=pipeline,
            run_id=run,
            initiator=initiator or proto.Initiator(type=proto.InitiatorType.BOT, name="gofer_sdk"),
            same_version=same_version,
            request_id=request_id or uuid.uuid4().hex,
        )
        reply = await self._calls.safe(request, proto.RetryRunResponse)
        return StartedRun(run=present(reply.run, request), existing=reply.existing)

    async def repair(self, pipeline: str, run: int, *, namespace: str = "") -> None:
        """Have the server look after a run that has not ended and that nobody looks after; any other stays as it is.

        Needs a management token. Raises NotFound, PermissionDenied.
        """
        request = proto.RepairOrphanRequest(
            namespace_id=self._calls.namespace(namespace), pipeline_id=pipeline, run_id=run
        )
        await self._calls.safe(request, proto.RepairOrphanResponse)

    async def get(self, pipeline: str, run: int, *, namespace: str = "") -> proto.Run:
        """Return one run.

        Raises NotFound.
        """
        request = proto.GetRunRequest(namespace_id=self._calls.namespace(namespace), pipeline_id=pipeline, id=run)
        reply = await self._calls.safe(request, proto.GetRunResponse)
        return present(reply.run, request)

    async def list(
        self, pipeline: str, *, limit: int = 0, offset: int = 0, cursor: str = "", namespace: str = ""
    ) -> Page[proto.Run]:
        """Return a page of a pipeline's runs, newest first."""
        request = proto.ListRunsRequest(
            namespace_id=self._calls.namespace(namespace),
            pipeline_id=pipeline,
            limit=limit,
            offset=offset,
            cursor=cursor,
        )
        reply = await self._calls.safe(request, proto.ListRunsResponse)
        return Page(items=tuple(reply.runs), next_cursor=reply.next_cursor)

    def each(self, pipeline: str, *, namespace: str = "") -> AsyncGenerator[proto.Run, None]:
        """Yield all runs of a pipeline, newest first."""
        return each_of(lambda cursor: self.list(pipeline, cursor=cursor, namespace=namespace))

    async def wait(self, pipeline: str, run: int, *, namespace: str = "") -> proto.Run:
        """Return a run when it has ended, however long that takes; through restarts of the server, too.

        Raises NotFound, CallFailed.
        """
        found = await self.get(pipeline, run, namespace=namespace)
        if found.state == proto.RunRunState.COMPLETE:
            return found
        # The history comes first in the stream, so an end between the two calls is in it.
        only = EventFilter(kinds=(RUN_COMPLETED,), namespace=found.namespace, pipeline=found.pipeline, run=found.id)
        async with aclosing(self._events.list(only=only, follow=True, limit=1)) as ends:
            async for _ in ends:
                break
        return await self.get(pipeline, run, namespace=namespace)

    async def cancel(self, pipeline: str, run: int, *, force: bool = False, namespace: str = "") -> None:
        """Ask for a run to be stopped; returns as soon as that is stored. A run that has ended stays as it is.

        `force` kills its containers at once. Raises NotFound, PermissionDenied.
        """
        request = proto.CancelRunRequest(
            namespace_id=self._calls.namespace(namespace), pipeline_id=pipeline, run_id=run, force=force
        )
        await self._calls.once(request, proto.CancelRunResponse)

    async def cancel_all(self, pipeline: str, *, force: bool = False, namespace: str = "") -> tuple[int, ...]:
        """Ask for all runs of a pipeline to be stopped; return those that had not ended.

        Raises NotFound, PermissionDenied.
        """
        request = proto.CancelAllRunsRequest(
            namespace_id=self._calls.namespace(namespace), pipeline_id=pipeline, force=force
        )
        reply = await self._calls.once(request, proto.CancelAllRunsResponse)
        return tuple(reply.runs)
