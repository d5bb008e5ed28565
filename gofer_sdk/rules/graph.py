"""The rule for task graphs: every parent is known, no id is used twice, nothing waits for itself.

All of it takes time linear in tasks plus dependencies and no recursion, so that 20,000 tasks in one chain are fine.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

from gofer_sdk.rules.text import quoted

_SPELLED_LIMIT: Final = 20
_UNSEEN: Final = -1


def graph_faults(tasks: Iterable[tuple[str, Collection[str]]]) -> tuple[str, ...]:
    """List every fault of a graph of (task id, ids of its parents): one sentence each, nothing for a good graph."""
    return tuple(sentence for _, sentence in find_graph_faults(tasks))


def find_graph_faults(tasks: Iterable[tuple[str, Collection[str]]]) -> Iterator[tuple[str, str]]:
    """Yield every fault of a graph of (task id, ids of its parents), as the task that has it and a sentence.

    Where tasks wait for each other in several ways, one circle is spelled out for each group of such tasks.
    """
    counts: dict[str, int] = {}
    parents: dict[str, list[str]] = {}
    for task_id, needed in tasks:
        counts[task_id] = counts.get(task_id, 0) + 1
        parents.setdefault(task_id, []).extend(needed)
    for task_id, count in counts.items():
        if count > 1:
            yield task_id, f"task id {quoted(task_id)} is used by {count:,} tasks: give each task an id of its own"
    for task_id, needed in parents.items():
        for parent in needed:
            if parent not in parents:
                yield task_id, _unknown_parent(task_id, parent)
    for cycle in find_cycles(parents.items()):
        yield cycle[0], _endless_wait(cycle)


def find_cycles(tasks: Iterable[tuple[str, Collection[str]]]) -> Iterator[tuple[str, ...]]:
    """Yield one circle for each group of tasks that wait for each other, as ids of which each waits for the next.

    `tasks` are (task id, ids of its parents), each id once. The last id of a circle waits for its first. Parents that
    are no tasks are passed over.
    """
    graph = tuple(tasks)
    ids = tuple(task_id for task_id, _ in graph)
    numbers = {task_id: number for number, task_id in enumerate(ids)}
    parents = tuple(tuple(numbers[parent] for parent in needed if parent in numbers) for _, needed in graph)
    circles = (_circle_of(group, parents) for group in _groups(parents))
    for circle in sorted(circle for circle in circles if circle):
        yield tuple(ids[number] for number in circle)


def spell_cycle(cycle: Sequence[str]) -> str:
    """Write a circle as `a -> b -> c -> a`, an arrow for "waits for"; of a long one the middle is left out."""
    left_out = len(cycle) - _SPELLED_LIMIT
    if left_out <= 1:
        return " -> ".join((*cycle, cycle[0]))
    half = _SPELLED_LIMIT // 2
    return " -> ".join((*cycle[:half], f"({left_out:,} more)", *cycle[-half:], cycle[0]))


def _unknown_parent(task_id: str, parent: str) -> str:
    return (
        f"task {quoted(task_id)} depends on {quoted(parent)}, which is no task of this pipeline: "
        "add that task or remove the dependency"
    )


def _endless_wait(cycle: Sequence[str]) -> str:
    return (
        f"tasks wait for each other in a circle, so that none could start: {spell_cycle(cycle)}: "
        "remove one of these dependencies"
    )


def _circle_of(group: Sequence[int], parents: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Return a circle inside a strongly connected group, from its first task on; nothing for a task on its own."""
    first = min(group)
    if len(group) == 1:
        return (first,) if first in parents[first] else ()
    members = set(group)
    path: dict[int, None] = {}
    task = first
    # Each task of the group has a parent in it, so that the walk must come back to where it was.
    while task not in path:
        path[task] = None
        task = next(parent for parent in parents[task] if parent in members)
    walked = tuple(path)
    circle = walked[walked.index(task) :]
    start = circle.index(min(circle))
    return circle[start:] + circle[:start]


def _groups(parents: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Yield the strongly connected groups of the graph: Tarjan's algorithm with a stack of its own."""
    search = _Search(parents)
    for root in range(len(parents)):
        yield from search.groups_from(root)


class _Search:
    """A walk through the whole graph, depth first, from each task to its parents.

    `order` tells when a task was met, `low` how far back of those that are still open it leads.
    """

    def __init__(self, parents: Sequence[Sequence[int]]) -> None:
        self._parents = parents
        self._order = [_UNSEEN] * len(parents)
        self._low = [_UNSEEN] * len(parents)
        self._settled = [False] * len(parents)
        self._open: list[int] = []
        self._seen = 0

    def groups_from(self, root: int) -> Iterator[list[int]]:
        """Yield the groups that are complete once everything that a task leads to was met."""
        if self._order[root] != _UNSEEN:
            return
        path = [(root, self._enter(root))]
        while path:
            task, ahead = path[-1]
            parent = next((number for number in ahead if not self._settled[number]), None)
            if parent is None:
                path.pop()
                yield from self._leave(task, child=path[-1][0] if path else None)
            elif self._order[parent] == _UNSEEN:
                path.append((parent, self._enter(parent)))
            else:
                self._low[task] = min(self._low[task], self._order[parent])

    def _enter(self, task: int) -> Iterator[int]:
        self._order[task] = self._low[task] = self._seen
        self._seen += 1
        self._open.append(task)
        return iter(self._parents[task])

    def _leave(self, task: int, *, child: int | None) -> Iterator[list[int]]:
        if child is not None:
            self._low[child] = min(self._low[child], self._low[task])
        if self._low[task] < self._order[task]:
            return
        group: list[int] = []
        while not group or group[-1] != task:
            group.append(self._open.pop())
            self._settled[group[-1]] = True
        yield group
