"""Group commit: many units of work in one transaction, each in its own savepoint; one that is alone needs none.

Everything here runs on the writer's thread, in one hop for the whole group.

A unit that fails is rolled back to its savepoint and takes nothing else with it. Some failures reach further: a full
disk, for one, makes SQLite roll the whole transaction back, after which `ROLLBACK TO` would fail and further statements
would commit one by one. `in_transaction` tells; the group is then lost as a whole, as it is when the COMMIT fails.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from gofer.core.errors import InternalError, OutcomeUnknown, Unavailable
from gofer.sqlite.errors import PRIMARY_CODE, translate

U = TypeVar("U")


class GroupStep(StrEnum):
    """The steps of a group between which a process can die; told to the observer, on the writer's thread."""

    BEGUN = "begun"  # the transaction is open
    UNIT_DONE = "unit_done"  # a unit has run, well or not
    COMMIT = "commit"  # about to be taken
    COMMITTED = "committed"  # nobody has been told yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored(Generic[U]):
    """The unit was committed; the disk has it."""

    unit: U


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Nothing of the unit was stored; where the error is `OutcomeUnknown`, a crash may bring it back."""

    error: Exception


def commit_group(
    connection: sqlite3.Connection,
    functions: Sequence[Callable[[U], None]],
    *,
    make_unit: Callable[[], U],
    observe: Callable[[GroupStep], None],
) -> list[Stored[U] | Failed]:
    """Run each function on a unit of its own, commit them all, and tell for each whether it was stored.

    Leaves no transaction open.
    """
    outcomes: list[Stored[U] | Failed] = []
    is_committing = False
    try:
        connection.execute("BEGIN IMMEDIATE")
        observe(GroupStep.BEGUN)
        for function in functions:
            outcome = _run_unit(connection, function, make_unit, is_alone=len(functions) == 1)
            outcomes.append(outcome)
            observe(GroupStep.UNIT_DONE)
            if isinstance(outcome, Failed) and not connection.in_transaction:
                return _all_lost(outcomes, len(functions), cause=outcome.error)
        observe(GroupStep.COMMIT)
        is_committing = True
        connection.execute("COMMIT")
        observe(GroupStep.COMMITTED)
    except sqlite3.Error as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if is_committing and _is_in_doubt(error):
            return _all_lost(outcomes, len(functions), cause=error, in_doubt=True)
        return _all_lost(outcomes, len(functions), cause=translate(error))
    return outcomes


def _is_in_doubt(error: sqlite3.Error) -> bool:
    # What could not be synced may have reached the disk all the same: a crash before the next commit brings it back.
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & PRIMARY_CODE == sqlite3.SQLITE_IOERR


def _run_unit(
    connection: sqlite3.Connection, function: Callable[[U], None], make_unit: Callable[[], U], *, is_alone: bool
) -> Stored[U] | Failed:
    if not is_alone:  # a savepoint costs a copy of each page that is changed after it
        connection.execute("SAVEPOINT unit")
    try:
        unit = make_unit()
        function(unit)
    except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the unit's caller, who waits for it
        if connection.in_transaction:
            _undo(connection, is_alone=is_alone)
        return Failed(error=_deliverable(error))
    if not connection.in_transaction:
        return Failed(error=InternalError("a unit of work ended the transaction that it shares with others"))
    if not is_alone:
        connection.execute("RELEASE unit")
    return Stored(unit=unit)


def _undo(connection: sqlite3.Connection, *, is_alone: bool) -> None:
    if is_alone:
        connection.execute("ROLLBACK")
    else:
        connection.execute("ROLLBACK TO unit")
        connection.execute("RELEASE unit")


def _all_lost(
    outcomes: Sequence[Stored[U] | Failed], count: int, *, cause: Exception, in_doubt: bool = False
) -> list[Stored[U] | Failed]:
    # Units that failed by themselves keep their own error; the rest, run or not, learn why they are not stored.
    def lost() -> Failed:
        error = (
            OutcomeUnknown(
                f"the machine does not let the database work ({cause}); it is not known whether the change was stored"
            )
            if in_doubt
            else Unavailable(f"the change was not stored: {cause}")
        )
        error.__cause__ = cause
        return Failed(error=error)

    own = [outcome if isinstance(outcome, Failed) else lost() for outcome in outcomes]
    return [*own, *(lost() for _ in range(count - len(own)))]


def _deliverable(error: Exception) -> Exception:
    if isinstance(error, StopIteration):  # no future can carry it
        failure: Exception = RuntimeError("a unit of work raised StopIteration")
    else:
        failure = translate(error)
    if failure is not error:
        failure.__cause__ = error
    return failure
