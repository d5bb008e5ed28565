"""What the clients of one batch asked for, what was acknowledged, and what they were told."""

import time
from dataclasses import dataclass, field

from gofer_sdk._proto import proto


def now_ms() -> int:
    """Give the time as the wire has it."""
    return time.time_ns() // 1_000_000


@dataclass(slots=True, kw_only=True)
class AskedRun:
    """A run that was asked for, until it was acknowledged: by `run`, its number."""

    pipeline: str
    request_id: str
    asked_ms: int
    tries: int = 0
    run: int = 0
    acknowledged_ms: int = 0


@dataclass(slots=True, kw_only=True)
class AskedCancel:
    """A cancel that was asked for once. `task` is empty for a whole run; `acknowledged_ms` 0 where no answer came."""

    pipeline: str
    run: int
    task: str
    force: bool
    asked_ms: int
    acknowledged_ms: int = 0
    refused: str = ""


@dataclass(slots=True, kw_only=True)
class Doomed:
    """A namespace with one pipeline, both of that name, that is deleted while `runs`, its acknowledged ones, run.

    `is_wished_gone` from before the first call that deletes; `is_gone` where such a call has waited for the end.
    """

    name: str
    runs: list[int] = field(default_factory=list)
    is_wished_gone: bool = False
    is_gone: bool = False


@dataclass(slots=True, kw_only=True)
class Gap:
    """A time in which a secret may not have been there; `until_ms` 0 where it has not ended."""

    from_ms: int
    until_ms: int = 0

    def meets(self, from_ms: int, until_ms: int) -> bool:
        """Tell whether the secret may have been missed in that time."""
        return self.from_ms <= until_ms and (not self.until_ms or from_ms <= self.until_ms)


@dataclass(slots=True, kw_only=True)
class Visit:
    """A terminal in a task that was opened: what it has printed, and how its command ended, if that was told."""

    pipeline: str
    run: int
    task: str
    printed: bytes = b""
    exit_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLog:
    """What a follower of a log was given, to its end."""

    pipeline: str
    run: int
    task: str
    data: bytes


@dataclass(slots=True)
class Ledger:
    """Everything that clients know of one batch."""

    runs: list[AskedRun] = field(default_factory=list)
    cancels: list[AskedCancel] = field(default_factory=list)
    deployed: dict[str, int] = field(default_factory=dict)  # by pipeline: the version whose deployment was answered
    events: list[proto.Event] = field(default_factory=list)  # as one follower got them
    waited: list[proto.Run] = field(default_factory=list)  # what those who waited for an end were given
    logs: list[ReadLog] = field(default_factory=list)
    refused_logs: list[tuple[str, int, str]] = field(default_factory=list)  # who asked was told that there is none
    doomed: list[Doomed] = field(default_factory=list)
    retries: int = 0
    deploying: dict[str, int] = field(default_factory=dict)  # versions whose deployment was not acknowledged yet
    gaps: list[Gap] = field(default_factory=list)  # of the secret that tasks tell
    secrets_put: int = 0
    visits: list[Visit] = field(default_factory=list)
    open: set[tuple[str, int]] = field(default_factory=set)  # acknowledged, and not yet told to have ended
    ended: set[tuple[str, int]] = field(default_factory=set)
    errors: dict[str, int] = field(default_factory=dict)  # how calls failed, by kind

    @property
    def unanswered(self) -> list[AskedRun]:
        """The runs whose start was not acknowledged yet."""
        return [each for each in self.runs if not each.run]

    def acknowledge(self, asked: AskedRun, run: int) -> None:
        """Note that a run was acknowledged."""
        asked.run, asked.acknowledged_ms = run, now_ms()
        if (asked.pipeline, run) not in self.ended:
            self.open.add((asked.pipeline, run))

    def end(self, pipeline: str, run: int) -> None:
        """Note that a run was told to have ended."""
        self.ended.add((pipeline, run))
        self.open.discard((pipeline, run))

    def fail(self, error: Exception) -> None:
        """Count a call that failed."""
        name = type(error).__name__
        self.errors[name] = self.errors.get(name, 0) + 1
