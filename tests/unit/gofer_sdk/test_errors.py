"""The errors of calls: each status has its own, and the words name host and fix."""

import socket
import ssl

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError, StreamTerminatedError

from gofer.api.status import STATUS
from gofer_sdk import errors


@pytest.mark.parametrize("status", sorted(set(STATUS.values()), key=str))
def test_every_status_that_a_server_uses_has_an_error_of_its_own(status: Status) -> None:
    kind = errors.KIND_BY_STATUS[status]

    assert kind.status is status
    assert type(errors.from_status(GRPCError(status, "words"), rpc="GetRun", host="here")) is kind


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.CallFailed)]

    assert errors.__doc__ is not None
    assert all(kind.__name__ in errors.__doc__ for kind in kinds)
    assert all(
        kind.status.name in errors.__doc__ for kind in errors.KIND_BY_STATUS.values() if kind is not errors.ServerFault
    )


def test_a_status_without_words_is_named() -> None:
    failed = errors.from_status(GRPCError(Status.NOT_FOUND), rpc="GetRun", host="here")

    assert failed.message == "GetRun: the server answered NOT_FOUND"


def test_a_deadline_is_told_in_the_same_words_whoever_has_seen_it_first() -> None:
    """A server that is told to answer within thirty seconds gives up after 29."""
    seen_here = errors.from_timeout(rpc="GetRun", host="here:1")
    seen_there = errors.from_status(GRPCError(Status.DEADLINE_EXCEEDED), rpc="GetRun", host="here:1")

    assert type(seen_here) is type(seen_there) is errors.DeadlineExceeded
    assert seen_here.message == seen_there.message == "GetRun: no answer from here:1 in time"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "nothing listens at here:1: is the server running?"),
        (socket.gaierror(-2, "Name or service not known"), "here:1 can't be reached: Name or service not known"),
        (TimeoutError(110, "Connection timed out"), "here:1 can't be reached: Connection timed out"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong"), "here:1 does not speak TLS as a Gofer server does"),
        (StreamTerminatedError("Connection lost"), "the connection to here:1 was lost: Connection lost"),
    ],
)
def test_a_broken_connection_is_unavailable_in_words(error: Exception, words: str) -> None:
    failed = errors.from_connection(error, rpc="GetRun", host="here:1")

    assert type(failed) is errors.Unavailable
    assert failed.message.startswith(words)
    assert failed.host == "here:1"
