"""Runs."""

from functools import partial
from typing import Final

from gofer.api.caller import current_caller
from gofer.api.convert.common import page_of
from gofer.api.convert.runs import retry_run_of, run_row_key, run_to_proto, start_run_of
from gofer.api.encoded import EncodedParts
from gofer.api.exchange import encoded_reply
from gofer.api.kept import KeptReplies
from gofer.services.runs import Runs, Target
from gofer.storage.page import Page
from gofer_sdk._proto import proto
from gofer_sdk.codec import encode

RUNS_FIELD: Final = 1  # of ListRunsResponse


class RunHandlers(proto.GoferBase):
    """The RPCs about runs."""

    def __init__(self, *, runs: Runs, kept: KeptReplies, engine: str, results_limit: int) -> None:
        """Give at most `results_limit` items of a list at once. `engine` is the one of new runs."""
        self._to_proto = partial(run_to_proto, engine=engine)
        self._runs = runs
        self._kept = kept
        self._results_limit = results_limit
        self._encoded = EncodedParts(field=RUNS_FIELD)

    async def start_run(self, message: proto.StartRunRequest) -> proto.StartRunResponse:
        """Serve StartRun."""
        started = await self._runs.start(current_caller(), start_run_of(message))
        return proto.StartRunResponse(run=self._to_proto(started.run), existing=started.existing)

    async def retry_run(self, message: proto.RetryRunRequest) -> proto.RetryRunResponse:
        """Serve RetryRun."""
        started = await self._runs.retry(current_caller(), retry_run_of(message))
        return proto.RetryRunResponse(run=self._to_proto(started.run), existing=started.existing)

    async def repair_orphan(self, message: proto.RepairOrphanRequest) -> proto.RepairOrphanResponse:
        """Serve RepairOrphan."""
        target = Target(namespace=message.namespace_id, pipeline=message.pipeline_id, run=message.run_id)
        await self._runs.repair(current_caller(), target)
        return proto.RepairOrphanResponse()

    async def get_run(self, message: proto.GetRunRequest) -> proto.GetRunResponse:
        """Serve GetRun."""
        target = Target(namespace=message.namespace_id, pipeline=message.pipeline_id, run=message.id)
        return proto.GetRunResponse(run=self._to_proto(await self._runs.get(current_caller(), target)))

    async def list_runs(self, message: proto.ListRunsRequest) -> proto.ListRunsResponse:
        """Serve ListRuns."""
        target = Target(namespace=message.namespace_id, pipeline=message.pipeline_id)
        page = page_of(message, self._results_limit)
        asked = (target.namespace, target.pipeline, page.limit, page.offset, page.cursor)
        key = (proto.ListRunsRequest, current_caller(), *asked)
        reply = await self._kept.of(key, lambda: self._list_runs(target, page))
        return encoded_reply(proto.ListRunsResponse, reply)

    async def _list_runs(self, target: Target, page: Page) -> bytes:
        listed = await self._runs.list(current_caller(), target, page)
        runs = await self._encoded.joined(
            [(run_row_key(found), partial(self._to_proto, found)) for found in listed.items]
        )
        return runs + encode(proto.ListRunsResponse(next_cursor=listed.next_cursor))

    async def cancel_run(self, message: proto.CancelRunRequest) -> proto.CancelRunResponse:
        """Serve CancelRun."""
        target = Target(namespace=message.namespace_id, pipeline=message.pipeline_id, run=message.run_id)
        await self._runs.cancel(current_caller(), target, force=message.force)
        return proto.CancelRunResponse()

    async def cancel_all_runs(self, message: proto.CancelAllRunsRequest) -> proto.CancelAllRunsResponse:
        """Serve CancelAllRuns."""
        target = Target(namespace=message.namespace_id, pipeline=message.pipeline_id)
        return proto.CancelAllRunsResponse(
            runs=list(await self._runs.cancel_all(current_caller(), target, force=message.force))
        )
