"""What a command is given: its words and its environment."""

import pytest

from tests.conformance.cases import EngineUnderTest

ODD_VALUES = {
    "PLAIN": "value",
    "EMPTY": "",
    "SPACES": "  two  words ",
    "QUOTES": """it's "quoted" `so` $HOME ${X} $(id) \\n""",
    "EQUALS": "a=b=c",
    "LINES": "one\ntwo\n",
    "UNICODE": "f\u00fcr \u6f22\u5b57 \U0001f600",
    "lower_case": "kept",
    "Lower_Case": "another",
    "with.dot": "dotted",
    "with-dash": "dashed",
    "with/slash": "slashed",
    "9starts_with_a_digit": "digit",
    "PWD": "/not/where/it/is",
    "IFS": ",",
    "_": "underscore",
    "__gofer_d": "a shim's own",
}


@pytest.mark.parametrize(
    "values",
    [{}, {"PLAIN": "value", "EMPTY": "", "code": "5", "d": "x"}, ODD_VALUES],
    ids=["nothing", "plain", "odd"],
)
async def test_the_environment_is_exactly_the_given_one(tested: EngineUnderTest, values: dict[str, str]) -> None:
    spec = tested.command(entrypoint=("cat",), command=("/proc/self/environ",), environment=values)

    raw = await tested.output(await tested.started(spec))

    entries = [entry.decode().partition("=") for entry in raw.split(b"\0") if entry]
    assert len({key for key, _, _ in entries}) == len(entries)
    given = {key: value for key, _, value in entries}
    assert given.pop("PATH")
    given.pop("HOME", None)
    given.pop("HOSTNAME", None)
    assert given == values


async def test_path_and_home_may_be_given(tested: EngineUnderTest) -> None:
    spec = tested.shell('echo "$PATH $HOME"', PATH="/usr/bin:/bin", HOME="/nowhere")

    assert await tested.output(await tested.started(spec)) == b"/usr/bin:/bin /nowhere\n"


async def test_words_arrive_as_they_are(tested: EngineUnderTest) -> None:
    words = ("", "two words", "it's", '"', "$HOME", "a\nb", "-n", "--", "*", "\u00fc")
    spec = tested.command(entrypoint=("printf", "[%s]"), command=words)

    assert await tested.output(await tested.started(spec)) == "".join(f"[{word}]" for word in words).encode()


async def test_a_command_needs_no_entrypoint(tested: EngineUnderTest) -> None:
    spec = tested.command(command=("echo", "hello"))

    assert await tested.output(await tested.started(spec)) == b"hello\n"


async def test_an_entrypoint_needs_no_command(tested: EngineUnderTest) -> None:
    spec = tested.command(entrypoint=("echo", "hello"))

    assert await tested.output(await tested.started(spec)) == b"hello\n"


async def test_nothing_can_be_read_from_stdin(tested: EngineUnderTest) -> None:
    spec = tested.command(entrypoint=("cat",))

    assert await tested.output(await tested.started(spec)) == b""
