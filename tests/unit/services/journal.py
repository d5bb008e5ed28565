"""What a test reads from the journal."""

from gofer.core.events import Event
from gofer.core.ids import EventId
from gofer.sqlite import Database
from gofer.storage.unit import Unit


async def events_of(database: Database[Unit], *, after: int = 0) -> list[Event]:
    stored = await database.read(lambda unit: unit.journal.list(EventId(after), 1000))
    return [envelope.event for envelope in stored]


async def kinds_of(database: Database[Unit], *, after: int = 0) -> list[str]:
    return [event.kind for event in await events_of(database, after=after)]
