"""The journal: every event, stored in the commit of the change that it tells of."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gofer.core.errors import NotFound
from gofer.core.events import Envelope, Event
from gofer.core.ids import EventId, NamespaceId, PipelineId, RunId
from gofer.core.times import from_ms, to_ms
from gofer.sqlite import Connection
from gofer.storage.rows import Value, envelope_of, event_to_row

_INSERT: Final = "INSERT INTO journal (at, kind, namespace, pipeline, run, details) VALUES (?, ?, ?, ?, ?, ?)"
_FIND: Final = "SELECT * FROM journal WHERE id = ?"
# Not the greatest that is there: all may have been pruned.
_LAST_ID: Final = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'journal'), 0) AS id"
_HAS_OLD: Final = "SELECT 1 FROM journal WHERE at < ? LIMIT 1"
_PRUNE: Final = "DELETE FROM journal WHERE id IN (SELECT id FROM journal WHERE at < ? ORDER BY at, id LIMIT ?)"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events are wanted; what is empty or None asks nothing."""

    kinds: frozenset[str] = frozenset()
    namespace: NamespaceId | None = None
    pipeline: PipelineId | None = None
    run: RunId | None = None

    def admits(self, event: Event) -> bool:
        """Tell whether the event is wanted; the same answer as the journal's own."""
        if self.kinds and event.kind not in self.kinds:
            return False
        wanted = (("namespace_id", self.namespace), ("pipeline_id", self.pipeline), ("run_id", self.run))
        if all(value is None for _, value in wanted):  # asked for each event by each of its followers
            return True
        details = event.details()
        return all(value is None or details.get(name) == value for name, value in wanted)


EVERYTHING: Final = EventFilter()


class JournalRepository:
    """The events, on one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def append(self, event: Event, at: datetime) -> Envelope:
        """Store an event and give it its id, which is higher than all before it."""
        kind, namespace, pipeline, run, details = event_to_row(event)
        stored = to_ms(at)
        cursor = self._connection.execute(_INSERT, (stored, kind, namespace, pipeline, run, details))
        return Envelope(id=EventId(cursor.lastrowid or 0), at=from_ms(stored), event=event)

    def get(self, event: EventId) -> Envelope:
        """Give the event. Raises `NotFound`."""
        row = self._connection.execute(_FIND, (event,)).fetchone()
        if row is None:
            raise no_event(event)
        return envelope_of(row)

    def list(
        self,
        after_id: EventId,
        limit: int,
        *,
        before_id: EventId | None = None,
        reverse: bool = False,
        wanted: EventFilter = EVERYTHING,
    ) -> list[Envelope]:
        """Give up to `limit` events with ids between the two, oldest first; with `reverse` newest first."""
        conditions = ["id > ?"]
        values: list[Value] = [after_id]
        if before_id is not None:
            conditions.append("id < ?")
            values.append(before_id)
        for condition, found in _conditions(wanted):
            conditions.append(condition)
            values += found
        where = " AND ".join(f"({condition})" for condition in conditions)
        order = "DESC" if reverse else "ASC"
        sql = f"SELECT * FROM journal WHERE {where} ORDER BY id {order} LIMIT ?"  # noqa: S608 (built from constants)
        return [envelope_of(row) for row in self._connection.execute(sql, [*values, limit])]

    def last_id(self) -> EventId:
        """Give the id of the newest event, also where it was pruned; 0 where there never was one."""
        return EventId(self._connection.execute(_LAST_ID).fetchone()["id"])

    def has_before(self, before: datetime) -> bool:
        """Tell whether there is an event from before that time."""
        return self._connection.execute(_HAS_OLD, (to_ms(before),)).fetchone() is not None

    def prune(self, before: datetime, limit: int) -> int:
        """Delete up to `limit` of the oldest events from before that time, and say how many."""
        return self._connection.execute(_PRUNE, (to_ms(before), limit)).rowcount


def no_event(event: EventId) -> NotFound:
    """Make the error for an event that is not there."""
    return NotFound(
        f"there is no event {event}; it never was, or it was pruned: `gofer event list` shows those that exist",
        event=event,
    )


def _conditions(wanted: EventFilter) -> Iterator[tuple[str, list[str | int]]]:
    if wanted.kinds:
        kinds = sorted(wanted.kinds)
        yield f"kind IN ({', '.join('?' * len(kinds))})", list(kinds)
    if wanted.namespace is not None:
        yield "namespace = ?", [wanted.namespace]
    if wanted.pipeline is not None:
        yield "pipeline = ?", [wanted.pipeline]
    if wanted.run is not None:
        yield "run = ?", [wanted.run]
