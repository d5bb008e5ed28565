"""At boot: remove the containers of attempts that have ended, which a crash left between their exit and their removal.

Live runs need nothing here: the run scheduler finds them in the database and gives them to the executor, whose actors
take their attempts up again.
"""

import structlog

from gofer.core.errors import GoferError
from gofer.core.ids import InstanceId
from gofer.engines.protocols import SchedulerEngine
from gofer.services.progress import RunProgress

_log = structlog.get_logger(__name__)


async def remove_leftovers(engine: SchedulerEngine, *, progress: RunProgress, instance: InstanceId) -> int:
    """Remove this instance's containers that no live task run holds; their number.

    The containers are listed before the attempts are read, so that one that is launched meanwhile is never taken for a
    leftover. Only containers that carry our labels are ever looked at.
    """
    owned = [each async for each in engine.owned(instance)]
    if not owned:
        return 0
    live = await progress.live_attempts(instance)
    removed = 0
    for each in owned:
        if str(each.attempt) in live:
            continue
        try:
            await engine.remove(each.handle)
        except GoferError as error:
            _log.warning("leftover container not removed", attempt=str(each.attempt), error=error.message)
        else:
            removed += 1
    return removed
