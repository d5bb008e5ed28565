"""One thing that was looked at, how it is, and what mends it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gofer.cli.output import Output
from gofer.cli.tables import Cell, Style


class Health(StrEnum):
    """How something is: as it should be, worth knowing, or in need of mending."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found out about a subject; what isn't good says what mends it, a command where there is one."""

    subject: str
    text: str
    health: Health = Health.GOOD
    mend: str = ""

    def to_dict(self) -> dict[str, object]:
        """Return it as a tree for JSON."""
        return {"subject": self.subject, "health": self.health.value, "text": self.text, "mend": self.mend}


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All that was found."""

    findings: Sequence[Finding]

    @property
    def is_well(self) -> bool:
        """Whether nothing has to be mended."""
        return all(finding.health is not Health.BAD for finding in self.findings)

    def to_dict(self) -> dict[str, object]:
        """Return it as a tree for JSON."""
        return {"well": self.is_well, "findings": [finding.to_dict() for finding in self.findings]}


def bad(subject: str, text: str, *, mend: str) -> Finding:
    """Return what has to be mended."""
    return Finding(subject=subject, text=text, health=Health.BAD, mend=mend)


def warning(subject: str, text: str, *, mend: str) -> Finding:
    """Return what is worth knowing."""
    return Finding(subject=subject, text=text, health=Health.WARNING, mend=mend)


_LOOKS: Final = {
    Health.GOOD: ("✓", "+", Style.GOOD),
    Health.WARNING: ("!", "!", Style.WARN),
    Health.BAD: ("✗", "x", Style.BAD),
}


def show_diagnosis(diagnosis: Diagnosis, output: Output) -> None:
    """Print what was found, a line each, and below it what mends it."""
    output.json(diagnosis)
    lines: list[Cell] = []
    for finding in diagnosis.findings:
        sign, ascii_sign, style = _LOOKS[finding.health]
        lines.append(Cell(f"{ascii_sign if output.is_ascii else sign} {finding.subject}: {finding.text}", style))
        if finding.mend:
            lines.append(Cell(f"    mend it: {finding.mend}"))
    output.painted(lines)
