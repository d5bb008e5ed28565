"""What came of batches, kept in a file, a line of JSON each."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.torture.batch import Case, Outcome
from tests.torture.moments import Ending
from tests.torture.pipelines import Engine

RESULTS: Final = Path(__file__).parents[2] / ".dev" / "torture.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A batch that is over, and when it was."""

    outcome: Outcome
    at: datetime


def keep(outcome: Outcome, path: Path) -> None:
    """Add an outcome to the file."""
    case = outcome.case
    line = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "engine": case.engine,
        "signal": case.ending,
        "seed": case.seed,
        "kills": case.kills,
        "struck": outcome.struck,
        "figures": outcome.figures,
        "seconds": round(outcome.seconds, 1),
        "faults": outcome.faults,
    }
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")


def kept(paths: Iterable[Path]) -> Iterator[Result]:
    """Give what the files hold, in their order."""
    for path in paths:
        for line in path.read_text().splitlines():
            found = json.loads(line)
            case = Case(
                engine=Engine(found["engine"]),
                ending=Ending(found["signal"]),
                seed=found["seed"],
                kills=found["kills"],
            )
            outcome = Outcome(
                case=case,
                faults=found["faults"],
                struck=Counter(found["struck"]),
                figures=Counter(found["figures"]),
                seconds=found["seconds"],
            )
            yield Result(outcome=outcome, at=datetime.fromisoformat(found["at"]))
