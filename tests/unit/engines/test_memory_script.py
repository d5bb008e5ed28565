import pytest

from gofer.core.errors import InvalidInput
from gofer.core.output import LogChunk, LogStream
from gofer.engines.scheduler.memory_script import MemoryScript, encode_output


def test_an_environment_without_keys_ends_at_once_with_0() -> None:
    script = MemoryScript.of({"HOME": "/x"})

    assert (script.exit_code, script.output, script.hold, script.sleep.total_seconds()) == (0, (), False, 0)


def test_text_gets_the_newline_that_it_lacks() -> None:
    script = MemoryScript.of({"GOFER_MEMORY_LOG": "one\ntwo", "GOFER_MEMORY_LOG_STDERR": "bad\n"})

    assert script.output == (
        LogChunk(stream=LogStream.STDOUT, data=b"one\ntwo\n"),
        LogChunk(stream=LogStream.STDERR, data=b"bad\n"),
    )


def test_exact_output_keeps_every_byte_and_its_stream() -> None:
    chunks = (
        LogChunk(stream=LogStream.STDERR, data=b"\x00\xff\xfe"),
        LogChunk(stream=LogStream.STDOUT, data=b"no newline"),
        LogChunk(stream=LogStream.STDERR, data=b""),
    )

    script = MemoryScript.of({"GOFER_MEMORY_OUTPUT": encode_output(chunks)})

    assert script.output == chunks


def test_durations_are_go_durations() -> None:
    assert MemoryScript.of({"GOFER_MEMORY_SLEEP": "1m30s"}).sleep.total_seconds() == 90


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("GOFER_MEMORY_SLEEP", "5", "a unit is missing"),
        ("GOFER_MEMORY_EXIT_CODE", "256", "0 to 255"),
        ("GOFER_MEMORY_EXIT_CODE", "-1", "0 to 255"),
        ("GOFER_MEMORY_HOLD", "yes", "neither true nor false"),
        ("GOFER_MEMORY_OUTPUT", "out:%", "base64"),
        ("GOFER_MEMORY_OUTPUT", "log:YQ==", "out:BASE64"),
        ("GOFER_MEMORY_SLEPT", "1s", "GOFER_MEMORY_SLEEP"),
    ],
)
def test_a_fault_is_named_with_its_key(key: str, value: str, named: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        MemoryScript.of({key: value})

    assert key in caught.value.message
    assert named in caught.value.message


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        MemoryScript.of({"GOFER_MEMORY_SLEEP": "x", "GOFER_MEMORY_HOLD": "x", "GOFER_MEMORY_NONE": ""})

    assert len(caught.value.faults) == 3
