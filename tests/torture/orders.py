"""What a server's life is told before it begins; crosses a process border as JSON."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.torture.moments import Ending, Moment, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """One life: where its data is, what it serves, and what ends it. `number` counts the lives of a folder from 1."""

    folder: Path
    engine: str
    port: int
    number: int
    max_tasks: int
    moment: Moment | None
    fresh: bool = False  # a new interpreter in place of a fork

    def to_json(self) -> str:
        """Write it down."""
        return json.dumps(asdict(self) | {"folder": str(self.folder)})

    @classmethod
    def from_json(cls, text: str) -> "Orders":
        """Read what `to_json` wrote."""
        fields = json.loads(text)
        moment = fields.pop("moment")
        if moment is not None:
            moment = Moment(**{**moment, "place": Place(moment["place"]), "signal": Ending(moment["signal"])})
        return cls(**{**fields, "folder": Path(fields["folder"]), "moment": moment})
