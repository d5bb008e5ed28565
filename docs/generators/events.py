"""The kinds of events and what they tell."""

import inspect
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Final, get_type_hints

from docs.generators.markdown import code, join, sentences, table
from gofer.core.events import EVENT_CLASSES, Event

_OURS: Final = re.compile(r"\s*\(an event of ours[^)]*\)")
_WORDS: Final[Mapping[str, str]] = {
    "namespace_id": "the namespace",
    "pipeline_id": "the pipeline",
    "run_id": "the number of the run",
    "task_run_id": "the id of the task run, which is that of its task",
    "version": "the number of the version",
    "start_version": "the version that was live before; the new one where none was",
    "end_version": "the version that is deployed",
    "initiator_type": "`HUMAN`, `BOT` or `EXTENSION`",
    "initiator_name": "who started the run",
    "status": "how it ended",
    "key": "the key of the object",
    "force": "1 if it is to be killed at once, else 0",
}


def kinds() -> str:
    """Return the table of the kinds."""
    return join(table(("kind", "fires when", "details"), [_row(kind, each) for kind, each in EVENT_CLASSES.items()]))


def details() -> str:
    """Return the table of the fields that details have."""
    names = {each.name for event in EVENT_CLASSES.values() for each in fields(event)}
    unknown = names - _WORDS.keys()
    if unknown:
        raise KeyError(f"say what these details mean: {', '.join(sorted(unknown))}")
    return join(table(("field", "type", "meaning"), [_field(name) for name in _WORDS if name in names]))


def _row(kind: str, event: type[Event]) -> tuple[str, str, str]:
    text = sentences(inspect.getdoc(event) or "")
    when = _OURS.sub("", text)
    details = ", ".join(code(each.name) for each in fields(event))
    return f"{code(kind)}{' *added*' if when != text else ''}", when, details


def _field(name: str) -> tuple[str, str, str]:
    event = next(event for event in EVENT_CLASSES.values() if name in {each.name for each in fields(event)})
    hint: object = get_type_hints(event)[name]
    kind = getattr(hint, "__supertype__", hint)
    return code(name), "number" if kind is int else "text", _WORDS[name]
