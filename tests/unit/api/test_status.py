from time import process_time
from urllib.parse import quote

import pytest
from grpclib.const import Status
from hypothesis import given
from hypothesis import strategies as st

from gofer.api.status import MOST_BYTES, STATUS, grpc_error
from gofer.core.errors import ErrorCode, InvalidInput, NotFound


def test_every_code_has_a_status_of_its_own() -> None:
    assert STATUS.keys() == set(ErrorCode)
    assert len(set(STATUS.values())) == len(ErrorCode)


def test_an_error_keeps_its_text_and_its_faults() -> None:
    assert grpc_error(NotFound("no pipeline x")).status is Status.NOT_FOUND
    assert grpc_error(NotFound("no pipeline x")).message == "no pipeline x"
    assert grpc_error(InvalidInput("two faults", faults=("1st", "2nd"))).message == "two faults; 1st; 2nd"
    assert grpc_error(InvalidInput("one fault")).message == "one fault"
    assert grpc_error(InvalidInput("faults: a; b", faults=("a", "b"))).message == "faults: a; b"


@given(st.text(alphabet=st.sampled_from("ab é\U0001f600\n"), max_size=5000))
def test_a_text_of_any_kind_fits_into_a_header(text: str) -> None:
    message = grpc_error(NotFound(text)).message or ""

    assert len(quote(message)) <= MOST_BYTES + 200
    text = text.strip(" ")
    assert message == text or (message.endswith("(there is more)") and text.startswith(message[:100]))


def test_a_text_loses_the_spaces_at_its_ends_which_no_header_may_have() -> None:
    assert "a fault of ours:" == grpc_error(NotFound("  a fault of ours: ")).message


@pytest.mark.parametrize("text", ["x" * 5000, "é" * 3000])
def test_a_text_that_is_too_long_is_cut_and_says_so(text: str) -> None:
    assert (grpc_error(NotFound(text)).message or "").endswith(" ... (there is more)")


def test_a_text_that_repeats_a_huge_request_is_cut_at_once() -> None:
    """Ten megabytes of faults once held the event loop for minutes: each was looked for in all of the others."""
    faults = tuple(f"variable 'k={number}' is refused" for number in range(300_000))
    error = InvalidInput("; ".join(faults), faults=faults)
    began = process_time()

    messages = [grpc_error(error).message, grpc_error(NotFound("x" * 50_000_000)).message]

    assert process_time() - began < 0.5
    assert all((message or "").endswith("(there is more)") for message in messages)


def test_faults_that_the_text_holds_already_are_not_said_twice() -> None:
    faults = tuple(f"fault {number}" for number in range(100, 150))

    assert grpc_error(InvalidInput("; ".join(faults), faults=faults)).message == "; ".join(faults)
