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

    ended: frozenset[tuple[str, bool]] = frozenset()  # tasks that ended, and whether with exit code 0
    stopped: frozenset[tuple[str, str]] = frozenset()  # tasks that something stopped before their end, and what first
    run_stopped: str = ""  # what stopped the run first: "user", "deadline", or nothing
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
        good = dict(self.ended).get(task)
        if good is None:
            return "STOPPING" if why else "LIVE"
        if why:
            return "FAILED" if why.startswith("deadline") else "CANCELLED"
        return "SUCCEEDED" if good else "FAILED"

    @cached_property
    def states(self) -> dict[str, str]:
        return {task: self.state(task) for task in self.graph}

    @property
    def outcome(self) -> str:
        """Work out what has become of the run."""
        states = set(self.states.values())
        if not states <= ENDED:
            return "RUNNING"
        if self.run_stopped == "deadline" or "FAILED" in states:
            return "FAILED"
        return "CANCELLED" if "CANCELLED" in states else "SUCCEEDED"

    def end(self, task: str, *, good: bool) -> "NaiveRun":
        """Let a task's container end, or never have been; only what is launched can."""
        if self.states[task] not in {"LIVE", "STOPPING"}:
            return self
        return replace(self, ended=self.ended | {(task, good)})

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
        stopped = replace(self, run_stopped=why)
        for task in self.graph:
            one = self.stop_task(task, why)
            stopped = replace(stopped, stopped=stopped.stopped | one.stopped)
        return stopped
