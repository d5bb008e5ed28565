import pytest

from gofer_sdk.rules.config import MAX_ARGUMENT_BYTES, MAX_NAME_BYTES
from gofer_sdk.rules.run import MAX_RUN_VARIABLES, MAX_RUN_VARIABLES_BYTES, initiator_faults, run_variables_faults


def test_ordinary_variables_have_no_fault_and_an_empty_key_is_passed_over() -> None:
    assert not list(run_variables_faults({"KEY": "value", "": "x", "empty": "", "lower Case": "ü\n"}))


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"A=B": "1"}, "'A=B' holds a '='"),
        ({"A\0": "1"}, "holds a NUL"),
        ({"A": "\0"}, "the value of variable 'A' holds a NUL"),
        ({"A": "x" * MAX_ARGUMENT_BYTES}, "shorten it"),
        ({f"K{number}": "x" * 100_000 for number in range(6)}, "pass large data as an object"),
        ({f"K{number}": "ü" * 50_000 for number in range(6)}, "pass large data as an object"),
        ({str(number): "" for number in range(MAX_RUN_VARIABLES + 1)}, "give fewer"),
    ],
)
def test_a_fault_of_a_runs_variables_is_told(variables: dict[str, str], expected: str) -> None:
    (fault,) = run_variables_faults(variables)

    assert expected in fault


def test_as_much_as_is_allowed_is_allowed() -> None:
    each = MAX_RUN_VARIABLES_BYTES // 8 - 4

    assert not list(run_variables_faults({f"K{number}": "x" * each for number in range(8)}))


@pytest.mark.parametrize(
    ("name", "reason", "expected"),
    [
        ("", "", "say who asks for it"),
        ("x" * (MAX_NAME_BYTES + 1), "", "name has"),
        ("x\0", "", "name holds a NUL"),
        ("me", "x" * 100_000, "reason has"),
    ],
)
def test_a_fault_of_the_initiator_is_told(name: str, reason: str, expected: str) -> None:
    (fault,) = initiator_faults(name, reason)

    assert expected in fault


def test_an_initiator_with_a_name_is_enough() -> None:
    assert not list(initiator_faults("cli", ""))
