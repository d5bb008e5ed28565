"""The rule for ids, held by the acceptance vectors."""

import pytest

from gofer_sdk.rules.ids import ID_PATTERN, fault_of_id


@pytest.mark.parametrize("good", ["abc", "A_1", "___", "0123456789", "x" * 32])
def test_an_id_of_3_to_32_letters_digits_and_underscores_is_good(good: str) -> None:
    assert fault_of_id(good, "pipeline id") is None
    assert ID_PATTERN.match(good)


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        ("", "is missing"),
        ("ab", "too short"),
        ("x" * 33, "too long"),
        ("a-b", "characters that an id may not have"),
        ("abc\n", "characters that an id may not have"),
        ("\u0661\u0662\u0663", "characters that an id may not have"),
        ("äöü", "characters that an id may not have"),
        ("a b", "characters that an id may not have"),
    ],
)
def test_a_bad_id_is_told_with_its_name_and_its_rule(bad: str, expected: str) -> None:
    fault = fault_of_id(bad, "pipeline id")

    assert fault is not None
    assert fault.startswith("pipeline id")
    assert expected in fault
    assert "\n" not in fault


def test_a_huge_id_does_not_make_a_huge_sentence() -> None:
    fault = fault_of_id("x" * 1_000_000, "task id")

    assert fault is not None
    assert len(fault) < 200
