"""The command line as a whole: what it knows, and what it does not load."""

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
import typer
from typer.core import TyperCommand, TyperGroup

from gofer.cli import main
from gofer.cli.root import build
from tests.integration.cli.every_command import TABLE

HEAVY = (
    "asyncio",
    "betterproto2",
    "gofer.config.client_settings",
    "gofer_sdk.hcl",
    "grpclib",
    "hcl2",
    "pydantic",
    "rich",
    "ssl",
    "structlog",
    "gofer.app",
    "gofer.serving",
)


def commands(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, TyperCommand]]:
    """Yield each command by its words."""
    if isinstance(command, TyperGroup):
        for name, child in command.commands.items():
            yield from commands(child, (*path, name))
    elif isinstance(command, TyperCommand):
        yield " ".join(path), command


def run(*arguments: str, code: str = "from gofer.cli import main; main()") -> "subprocess.CompletedProcess[str]":
    """Run the command line as a process of its own."""
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)


def test_each_command_has_its_row_in_the_table_of_every_command() -> None:
    """Where this fails, give the new command a row there: it is then run in every format against a real server."""
    assert {name for name, _ in commands(build())} == set(TABLE)


@pytest.mark.parametrize(("name", "command"), list(commands(build())))
def test_each_command_and_option_explains_itself(name: str, command: TyperCommand) -> None:
    assert command.help, name
    assert all(getattr(parameter, "help", None) for parameter in command.params), name


@pytest.mark.parametrize("name", sorted(TABLE))
def test_help_speaks_of_words_and_not_of_types(name: str) -> None:
    command = dict(commands(build()))[name]
    words = name.split()
    text = command.get_help(typer.Context(command, info_name=f"gofer {' '.join(words)}"))

    assert not re.search(r"<|>|\[\[|\{", text), text


def test_the_help_of_the_whole_offers_one_way_to_complete() -> None:
    done = run("-h")

    assert done.returncode == 0
    assert "completion" in done.stdout
    assert "--install-completion" not in done.stdout
    assert "--show-completion" not in done.stdout


def test_usage_names_what_must_and_what_may_be_given() -> None:
    found = dict(commands(build()))

    assert usage(found["run get"]) == "[OPTIONS] PIPELINE RUN"
    assert usage(found["run object get"]) == "[OPTIONS] PIPELINE [RUN] KEY"
    assert usage(found["run object list"]) == "[OPTIONS] PIPELINE [RUN]"
    assert usage(found["up"]) == "[OPTIONS] [PATH]"


def usage(command: TyperCommand) -> str:
    """Return what the first line of a command's help says after its name."""
    return " ".join(command.collect_usage_pieces(typer.Context(command)))


def loaded_by(*arguments: str, modules: tuple[str, ...]) -> str:
    """Say which of the modules were loaded when the command line had run."""
    code = (
        "import sys, atexit\n"
        f"atexit.register(lambda: print([m for m in {modules} if m in sys.modules], file=sys.stderr))\n"
        "from gofer.cli import main; main()"
    )
    return run(*arguments, code=code).stderr.splitlines()[-1]


@pytest.mark.parametrize("arguments", [["--help"], ["run", "start", "-h"], ["--version"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    assert loaded_by(*arguments, modules=HEAVY) == "[]"


def test_a_call_loads_neither_what_typer_would_read_values_with_nor_what_others_draw_with() -> None:
    arguments = ["run", "list", "x", "--limit", "5", "--host", "127.0.0.1:1"]

    assert loaded_by(*arguments, modules=("typer._adapters", "rich", "structlog", "hcl2")) == "[]"


def test_the_version_is_told() -> None:
    done = run("--version")

    assert done.returncode == 0
    assert done.stdout.startswith("gofer ")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "strat"], "No such command 'strat'. Did you mean 'start'"),
        (["pipelin"], "Did you mean 'pipeline'?"),
        (["run", "list"], "Missing argument 'PIPELINE'"),
        (["run", "get", "x", "abc"], "'abc' is not a whole number"),
        (["run", "get", "x", "0"], "0 is too small: at least 1"),
        (["run", "get", "x", str(1 << 63)], "9223372036854775808 is too large: at most 9223372036854775807"),
        (["run", "list", "x", "--limit", "9" * 30], "is too large"),
        (["run", "list", "x", "--config", "~nobody_at_all/file"], "there is no configuration file ~nobody_at_all/file"),
        (["run", "list", "x", "--nope"], "No such option: --nope"),
        (["run", "list", "x", "y"], "unexpected extra argument"),
        (["run", "list", "x", "--format"], "'--format' requires an argument"),
        (["run", "start", "x", "-v", "novalue"], "'novalue' is not KEY=VALUE"),
        (["event", "list", "--follow", "--reverse"], "exclude each other"),
        (["namespace", "set", "a-b"], "holds characters that an id may not have"),
        (["namespace", "update", "abc"], "there is nothing to change"),
        (["up", "--lang", "perl"], "'perl' is not known: use python, go, rust"),
        (["completion", "tcsh"], "'tcsh' is not known: use bash, zsh, fish, powershell"),
        (["run", "list", "x", "--format", "xml"], "'xml' is no format"),
        (["run", "list", "x", "--config", "/nowhere/file"], "there is no configuration file"),
        (["run", "list", "x", "--token", "a\nb"], "token"),
        (["pipeline", "disable", "abc"], "add --yes"),
    ],
)
def test_wrong_usage_is_told_and_ends_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], expected: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["gofer", *arguments])

    with pytest.raises(SystemExit) as ended:
        main()

    printed, talk = capsys.readouterr()
    assert ended.value.code == 2
    assert expected in talk
    assert printed == ""


def test_a_server_that_is_not_there_is_told_with_what_to_try_and_ends_with_5() -> None:
    done = run("run", "list", "x", "--host", "127.0.0.1:1")

    assert done.returncode == 5
    fault, hint = done.stderr.splitlines()
    assert fault == "x nothing listens at 127.0.0.1:1: is the server running?"
    assert "gofer doctor" in hint


def test_help_is_a_word_too() -> None:
    assert run("help", "run", "start").stdout == run("run", "start", "--help").stdout
    assert run("help").stdout == run("--help").stdout


@pytest.mark.parametrize(
    ("shell", "expected"), [("bash", "complete -o default"), ("zsh", "#compdef gofer"), ("fish", "complete")]
)
def test_shells_are_taught_to_complete(shell: str, expected: str) -> None:
    done = run("completion", shell)

    assert done.returncode == 0
    assert expected in done.stdout
    assert "_GOFER_COMPLETE" in done.stdout


def test_completion_knows_the_commands() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from gofer.cli import main; main()"],
        env={"_GOFER_COMPLETE": "complete_bash", "COMP_WORDS": "gofer run s", "COMP_CWORD": "2"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.strip() == "start"


@pytest.mark.parametrize(
    ("redirection", "arguments", "status", "words"),
    [
        ("<&-", ("pipeline", "delete", "nightly"), 2, "add --yes"),
        ("<&-", ("service", "token", "get"), 2, "pipe it in"),
        ("<&-", ("up", "-"), 1, "it is empty"),
        (">&-", ("--version",), 0, ""),
        (">/dev/full", ("--help",), 1, "can't be written: No space left on device"),
        (">/dev/full", ("completion", "bash"), 1, "can't be written: No space left on device"),
    ],
)
def test_standard_streams_may_be_closed_or_full(
    redirection: str, arguments: tuple[str, ...], status: int, words: str
) -> None:
    ended = run_redirected(redirection, *arguments)

    assert ended.returncode == status
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "gofer itself failed" not in ended.stderr


def test_an_error_that_nobody_listens_to_has_its_status() -> None:
    ended = run_redirected("2>&- >&- <&-", "run", "list", "nightly", "--host", "localhost:1")

    assert ended.returncode == 5


def run_redirected(redirection: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command line with its standard streams as a shell redirects them."""
    command = ["/bin/sh", "-c", f'"$@" {redirection}', "sh", sys.executable, "-m", "gofer", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_an_interrupt_before_the_command_begins_is_no_traceback() -> None:
    interrupted = """
import sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "gofer.cli.root":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
from gofer.cli import main
main()
"""

    ended = run("run", "list", "nightly", code=interrupted)

    assert (ended.returncode, ended.stderr) == (130, "")
