"""A second, naive model of a run, written from the rules that users read and from nothing else.

It keeps facts only (what ended how, what was stopped, and when that was known) and works every state out anew from
them, top down, without counters, tables or events. It is slow and short; what it says is what the run machine must say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, TypeAlias

Edge: TypeAlias = Literal["any", "success", "failure"]
Graph: TypeAlias = Mapping[str, Mapping[str, Edge]]
"""Per task its parents, and what it asks of each."""

SATISFIED: Mapping[str, frozenset[Edge]] = {
    "SUCCEEDED": frozenset({"any", "success"}),
    "FAILED": frozenset({"any", "failure"}),
    "SKIPPED": frozenset({"any"}),
    "CANCELLED": frozenset(),
}
ENDED = frozenset(SATISFIED)


@dataclass(frozen=True)
class NaiveRun:
    """The facts of a run; every method gives the run with one fact more."""

    ended: frozenset[tuple[str, bool, bool]] = frozenset()  # what ended: with exit code 0? before any timeout?
    stopped: frozenset[tuple[str, str]] = frozenset()  # tasks that something stopped before their end, and what first
    run_stopped: str = ""  # what stopped the run first: "user", "timeout", or nothing
    left: frozenset[str] = frozenset()  # tasks that were left when the run's timeout passed
    graph: Graph = field(default_factory=dict, compare=False)

    def state(self, task: str) -> str:
        """Work out what has become of a task."""
        parents = {parent: self.state(parent) for parent in self.graph[task]}
        why = dict(self.stopped).get(task)
        if why and why.endswith("waiting"):
            return "CANCELLED"
        if not all(state in ENDED for state in parents.values()):
            return "PENDING"
        if any(self.graph[task][parent] not in SATISFIED[state] for parent, state in parents.items()):
            return "SKIPPED"
        end = self._end_of(task)
        if end is None:
            return "STOPPING" if why else "LIVE"
        good, in_time = end
        if why == "user":
            return "CANCELLED"
        if why == "timeout" and not in_time:
            return "FAILED"
        return "SUCCEEDED" if good else "FAILED"

    def _end_of(self, task: str) -> tuple[bool, bool] | None:
        return next(((good, in_time) for which, good, in_time in self.ended if which == task), None)

    @cached_property
    def states(self) -> dict[str, str]:
        return {task: self.state(task) for task in self.graph}

    @property
    def outcome(self) -> str:
        """Work out what has become of the run."""
        states = set(self.states.values())
        if not states <= ENDED:
            return "RUNNING"
        in_time = {which for which, _, in_time in self.ended if in_time}
        if self.left - in_time or "FAILED" in states:
            return "FAILED"
        return "CANCELLED" if "CANCELLED" in states else "SUCCEEDED"

    def end(self, task: str, *, good: bool, in_time: bool = False) -> "NaiveRun":
        """Let a task's container end, or never have been; only what is launched can.

        `in_time` where its engine tells that it began and ended before any timeout, whenever that is heard; it matters
        only to timeouts.
        """
        if self.states[task] not in {"LIVE", "STOPPING"}:
            return self
        return replace(self, ended=self.ended | {(task, good, in_time)})

    def stop_task(self, task: str, why: str = "user") -> "NaiveRun":
        """Stop one task, whatever it does; the first one to stop it counts."""
        state = self.states[task]
        if state not in {"PENDING", "LIVE"}:
            return self
        return replace(
            self, stopped=self.stopped | {(task, f"{why} {'waiting' if state == 'PENDING' else ''}".strip())}
        )

    def stop_run(self, why: str) -> "NaiveRun":
        """Stop all tasks at one moment; the first one to stop the run counts."""
        if self.outcome != "RUNNING" or self.run_stopped:
            return self
        left = {task for task, state in self.states.items() if state not in ENDED} if why == "timeout" else set()
        stopped = replace(self, run_stopped=why, left=frozenset(left))
        for task in self.graph:
            one = self.stop_task(task, why)
            stopped = replace(stopped, stopped=stopped.stopped | one.stopped)
        return stopped
