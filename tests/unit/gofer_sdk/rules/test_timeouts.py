from datetime import timedelta

import pytest

from gofer_sdk.rules.config import ConfigDraft, TaskDraft, config_faults
from gofer_sdk.rules.timeouts import timeout_fault, timeout_of, timeout_text


@pytest.mark.parametrize(
    ("text", "timeout"),
    [
        ("", None),
        ("0", None),
        ("0s", None),
        ("1ms", timedelta(milliseconds=1)),
        ("1h30m", timedelta(minutes=90)),
        ("1.0001ms", timedelta(milliseconds=2)),
        ("8784h", timedelta(days=366)),
    ],
)
def test_a_timeout_is_read_and_written_in_whole_milliseconds(text: str, timeout: timedelta | None) -> None:
    assert timeout_fault(text, what="its timeout") is None
    assert timeout == timeout_of(text)
    assert timeout == timeout_of(timeout_text(timeout))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("soon", "its timeout: 'soon' is not a duration"),
        ("90", "its timeout: '90' is not a duration, a unit is missing"),
        ("-1s", "its timeout of -1s is not allowed: use 1ms to 8784h0m0s, or 0 for none"),
        ("999us", "its timeout of 999µs is not allowed"),
        ("8784h1ms", "its timeout of 8784h0m0.001s is not allowed"),
    ],
)
def test_what_is_no_timeout_is_told_in_words(text: str, fault: str) -> None:
    assert fault in (timeout_fault(text, what="its timeout") or "")


def test_a_config_tells_the_faults_of_all_of_its_timeouts() -> None:
    tasks = (TaskDraft(id="one", image="i", timeout="x"), TaskDraft(id="two", image="i", timeout="-1s"))

    faults = config_faults(ConfigDraft(id="timed", tasks=tasks, run_timeout="9000h"))

    assert [fault.partition(":")[0] for fault in faults] == [
        "run timeout of 9000h0m0s is not allowed",
        "task 'one'",
        "task 'two'",
    ]
