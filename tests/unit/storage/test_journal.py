import sqlite3
from dataclasses import fields
from datetime import timedelta

import pytest

from gofer.core.errors import NotFound
from gofer.core.events import EVENT_CLASSES, Event, NamespaceCreated, PipelineRegistered, RunCompleted, RunStarted
from gofer.core.ids import EventId, NamespaceId, PipelineId, RunId
from gofer.storage.journal import EVERYTHING, EventFilter
from gofer.storage.raw_event import RawEvent
from gofer.storage.unit import Unit
from tests.factories import NAMESPACE, NOW, PIPELINE

MADE = NamespaceCreated(namespace_id=NAMESPACE)
REGISTERED = PipelineRegistered(namespace_id=NAMESPACE, pipeline_id=PIPELINE)


def started(run: int, *, pipeline: str = PIPELINE) -> RunStarted:
    return RunStarted(
        namespace_id=NAMESPACE,
        pipeline_id=PipelineId(pipeline),
        run_id=RunId(run),
        initiator_type="HUMAN",
        initiator_name="cli",
    )


def ids(
    unit: Unit,
    after: int,
    limit: int = 10,
    *,
    before: int | None = None,
    reverse: bool = False,
    wanted: EventFilter = EVERYTHING,
) -> list[int]:
    found = unit.journal.list(
        EventId(after), limit, before_id=None if before is None else EventId(before), reverse=reverse, wanted=wanted
    )
    return [envelope.id for envelope in found]


def test_a_recorded_event_is_stored_with_the_units_time_and_given_back(unit: Unit) -> None:
    unit.record(MADE)

    (envelope,) = unit.recorded
    assert envelope.event == MADE
    assert envelope.at == NOW
    assert unit.journal.get(envelope.id) == envelope
    assert unit.journal.last_id() == envelope.id


def test_ids_rise_also_after_all_events_were_pruned(unit: Unit) -> None:
    unit.record(MADE)
    unit.record(REGISTERED)
    assert unit.journal.prune(NOW + timedelta(days=1), 10) == 2

    unit.record(MADE)

    assert [envelope.id for envelope in unit.recorded] == [1, 2, 3]


def test_every_kind_of_event_comes_back_as_it_was_recorded(unit: Unit) -> None:
    for kind, found in EVENT_CLASSES.items():
        values = {
            name: 3 if name in {"run_id", "version", "start_version", "end_version", "force"} else f"{kind} {name}"
            for name in (field.name for field in fields(found))
        }
        unit.record(found(**values))

    stored = unit.journal.list(EventId(0), 100)

    assert stored == unit.recorded
    assert [list(envelope.event.details()) for envelope in stored] == [
        list(envelope.event.details()) for envelope in unit.recorded
    ]


@pytest.mark.parametrize(
    "event",
    [
        RawEvent(kind="FROM_THE_FUTURE", recorded={"namespace_id": "default", "more": 1}),
        RawEvent(kind="NAMESPACE_CREATED", recorded={"namespace_id": "default", "more": 1}),
        RawEvent(kind="NAMESPACE_CREATED", recorded={}),
    ],
)
def test_an_event_of_another_version_stays_readable(unit: Unit, event: RawEvent) -> None:
    unit.record(event)

    (envelope,) = unit.journal.list(EventId(0), 10)

    assert envelope.event == event
    assert envelope.event.kind == event.kind
    assert envelope.event.details() == event.recorded


def test_an_unknown_event_is_named(unit: Unit) -> None:
    with pytest.raises(NotFound, match="there is no event 7") as refused:
        unit.journal.get(EventId(7))

    assert refused.value.details == {"event": 7}
    assert unit.journal.last_id() == 0


def test_events_are_listed_between_ids_both_ways(unit: Unit) -> None:
    for _ in range(5):
        unit.record(MADE)

    assert ids(unit, 0, 2) == [1, 2]
    assert ids(unit, 2) == [3, 4, 5]
    assert ids(unit, 5) == []
    assert ids(unit, 0, 2, reverse=True) == [5, 4]
    assert ids(unit, 0, before=4, reverse=True) == [3, 2, 1]
    assert ids(unit, 2, before=4, reverse=True) == [3]
    assert ids(unit, 2, before=5) == [3, 4]
    assert ids(unit, 0, before=1, reverse=True) == []


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (EventFilter(), [1, 2, 3, 4, 5]),
        (EventFilter(kinds=frozenset({"RUN_STARTED"})), [3, 4, 5]),
        (EventFilter(kinds=frozenset({"RUN_STARTED", "NAMESPACE_CREATED"})), [1, 3, 4, 5]),
        (EventFilter(kinds=frozenset({"NO_SUCH"})), []),
        (EventFilter(namespace=NAMESPACE), [1, 2, 3, 4, 5]),
        (EventFilter(namespace=NamespaceId("other")), []),
        (EventFilter(pipeline=PIPELINE), [2, 3, 4]),
        (EventFilter(pipeline=PIPELINE, run=RunId(1)), [3]),
    ],
)
def test_the_journal_and_the_filter_itself_agree_on_what_is_wanted(
    unit: Unit, wanted: EventFilter, expected: list[int]
) -> None:
    events: list[Event] = [MADE, REGISTERED, started(1), started(2), started(1, pipeline="other")]
    for event in events:
        unit.record(event)

    assert ids(unit, 0, wanted=wanted) == expected
    assert ids(unit, 0, reverse=True, wanted=wanted) == expected[::-1]
    assert [number for number, event in enumerate(events, 1) if wanted.admits(event)] == expected


def test_pruning_deletes_the_oldest_up_to_a_limit_and_nothing_younger(unit: Unit) -> None:
    for seconds in (0, 1, 2, 3):
        unit.journal.append(MADE, NOW + timedelta(seconds=seconds))

    assert unit.journal.prune(NOW + timedelta(seconds=3), 2) == 2
    assert ids(unit, 0) == [3, 4]
    assert unit.journal.prune(NOW + timedelta(seconds=3), 2) == 1
    assert unit.journal.prune(NOW + timedelta(seconds=3), 2) == 0
    assert ids(unit, 0) == [4]


def test_details_are_stored_as_the_json_that_clients_see(unit: Unit, connection: sqlite3.Connection) -> None:
    unit.record(
        RunCompleted(
            namespace_id=NAMESPACE,
            pipeline_id=PIPELINE,
            run_id=RunId(7),
            status="SUCCESSFUL",
            initiator_type="HUMAN",
            initiator_name="J\u00f6rg",
        )
    )

    row = connection.execute("SELECT details FROM journal").fetchone()

    assert row["details"] == (
        '{"namespace_id":"default","pipeline_id":"simple","run_id":7,"status":"SUCCESSFUL",'
        '"initiator_type":"HUMAN","initiator_name":"J\u00f6rg"}'
    )
