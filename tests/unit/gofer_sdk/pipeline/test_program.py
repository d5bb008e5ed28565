"""Programs are run with their errors shown, and end with their call."""

import asyncio
import os
import signal
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from gofer_sdk._proto import proto
from gofer_sdk.pipeline.program import MAX_MESSAGE_BYTES, ProgramFailed, run_program
from gofer_sdk.pipeline.source import Language, ProgramSource, SourceFault
from tests.fakes.processes import gone
from tests.fakes.waiting import until

Tool = Callable[[str, str], None]


def python(folder: Path, text: str) -> ProgramSource:
    """Make a Python source."""
    file = folder / "pipeline.py"
    file.write_text(text)
    return ProgramSource(language=Language.PYTHON, folder=folder, file=file)


def quiet(_line: str) -> None:
    """Take a line and leave it."""


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    """Put made-up build tools before all others on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def make(name: str, script: str) -> None:
        file = folder / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)

    return make


async def test_the_errors_of_a_program_are_shown_line_by_line(tmp_path: Path) -> None:
    source = python(
        tmp_path,
        "import sys\nfrom gofer_sdk.pipeline import Pipeline\n"
        "print('one\\r', file=sys.stderr)\nprint('tw\\N{LATIN SMALL LETTER O}', end='', file=sys.stderr)\n"
        "p = Pipeline(id='nightly', tasks=[])\n",
    )
    lines: list[str] = []

    data = await run_program(source, on_line=lines.append)

    assert lines == ["one", "two"]
    assert proto.UserPipelineConfig.parse(data).id == "nightly"


async def test_a_failure_keeps_the_last_lines_and_the_command_to_repeat(tmp_path: Path) -> None:
    source = python(tmp_path, "import sys\nfor n in range(40): print(n, file=sys.stderr)\nsys.exit(3)\n")

    with pytest.raises(ProgramFailed) as failed:
        await run_program(source, on_line=quiet)

    assert failed.value.reason == "the program ended with the exit status 3"
    assert failed.value.last_lines == tuple(str(number) for number in range(25, 40))
    assert failed.value.command.startswith(f"cd {tmp_path} && ")
    assert failed.value.command.endswith(f"gofer_sdk.pipeline.load {tmp_path / 'pipeline.py'}")


async def test_a_program_in_go_is_built_in_a_private_folder_and_run_in_its_own(tmp_path: Path, tool: Tool) -> None:
    tool("go", 'echo "building $*" >&2; printf "#!/bin/sh\\npwd; echo made\\n" > "$3"; chmod +x "$3"')
    source = ProgramSource(language=Language.GO, folder=tmp_path, file=tmp_path / "go.mod")
    lines: list[str] = []

    data = await run_program(source, on_line=lines.append)

    (line,) = lines
    built = Path(line.split()[3])
    assert line.startswith("building build -o ")
    assert not built.is_relative_to(tmp_path)
    assert not built.parent.exists()
    assert data.decode().split() == [str(tmp_path), "made"]


async def test_a_build_that_fails_ends_it(tmp_path: Path, tool: Tool) -> None:
    tool("go", "echo syntax error >&2; exit 2")
    source = ProgramSource(language=Language.GO, folder=tmp_path, file=tmp_path / "go.mod")

    with pytest.raises(ProgramFailed) as failed:
        await run_program(source, on_line=quiet)

    assert failed.value.last_lines == ("syntax error",)
    assert "go build" in failed.value.command


async def test_a_program_in_rust_is_run_by_cargo(tmp_path: Path, tool: Tool) -> None:
    tool("cargo", 'printf %s "$*"')
    source = ProgramSource(language=Language.RUST, folder=tmp_path, file=tmp_path / "Cargo.toml")

    data = await run_program(source, on_line=quiet)

    assert data.decode() == f"run --manifest-path={tmp_path}/Cargo.toml"


async def test_a_language_that_is_not_installed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    source = ProgramSource(language=Language.RUST, folder=tmp_path, file=tmp_path / "Cargo.toml")

    with pytest.raises(SourceFault, match="cargo is not installed"):
        await run_program(source, on_line=quiet)


async def test_a_program_that_writes_without_end_is_refused(tmp_path: Path, tool: Tool) -> None:
    tool("cargo", f"head -c {MAX_MESSAGE_BYTES + 1} /dev/zero")
    source = ProgramSource(language=Language.RUST, folder=tmp_path, file=tmp_path / "Cargo.toml")

    with pytest.raises(ProgramFailed, match="64 MiB"):
        await run_program(source, on_line=quiet)


async def test_a_cancelled_call_ends_the_program(tmp_path: Path, tool: Tool) -> None:
    tool("cargo", "echo $$ >&2; exec sleep 600")
    source = ProgramSource(language=Language.RUST, folder=tmp_path, file=tmp_path / "Cargo.toml")
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async with asyncio.TaskGroup() as group:
        running = group.create_task(run_program(source, on_line=lambda line: started.set_result(int(line))))
        pid = await started
        running.cancel()

    assert running.cancelled()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_line_without_end_is_cut(tmp_path: Path, tool: Tool) -> None:
    tool("cargo", "head -c 1000000 /dev/zero | tr '\\0' x >&2")
    source = ProgramSource(language=Language.RUST, folder=tmp_path, file=tmp_path / "Cargo.toml")
    lines: list[str] = []

    await run_program(source, on_line=lines.append)

    assert "".join(lines) == "x" * 1_000_000
    assert max(map(len, lines)) < 200_000


# ---------------------------------------------------------------- programs that behave badly


async def ended_late(source: ProgramSource, *, said: int) -> tuple[ProgramFailed, list[str]]:
    """Run a program that hangs after so many lines; a machine that is too busy to start it in time gets more time."""
    lines: list[str] = []
    for seconds in (0.5, 3, 10):
        lines.clear()
        with pytest.raises(ProgramFailed) as failed:
            await run_program(source, on_line=lines.append, limit=timedelta(seconds=seconds))
        if len(lines) == said:
            return failed.value, lines
    raise AssertionError(f"the program said {lines}")


def rust(folder: Path) -> ProgramSource:
    """Make a source that the made-up `cargo` runs."""
    return ProgramSource(language=Language.RUST, folder=folder, file=folder / "Cargo.toml")


async def test_a_program_that_hangs_is_ended_in_time_with_its_children(tmp_path: Path, tool: Tool) -> None:
    tool("cargo", "sleep 600 & echo $! >&2; echo $$ >&2; wait")

    failed, lines = await ended_late(rust(tmp_path), said=2)

    assert failed.reason == "the program was not done in time, and was ended"
    assert failed.last_lines == tuple(lines)
    await gone(*map(int, lines))


async def test_a_build_and_its_program_share_the_time(tmp_path: Path, tool: Tool) -> None:
    tool("go", 'printf "#!/bin/sh\\nexec sleep 600\\n" > "$3"; chmod +x "$3"; echo built >&2')
    source = ProgramSource(language=Language.GO, folder=tmp_path, file=tmp_path / "go.mod")

    failed, _ = await ended_late(source, said=1)

    assert failed.command.endswith("&& go run .")


async def test_what_ignores_the_request_to_end_is_killed(tmp_path: Path, tool: Tool) -> None:
    tool("cargo", "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ >&2; while :; do sleep 1; done' & wait; wait; wait")

    _, lines = await ended_late(rust(tmp_path), said=1)

    await gone(*map(int, lines))


async def test_a_call_that_is_cancelled_twice_leaves_nothing(tmp_path: Path, tool: Tool) -> None:
    """A second Ctrl-C comes while the first one's grace runs."""
    asked = tmp_path / "asked"
    tool("cargo", f"trap 'touch {asked}' TERM; echo $$ >&2; while :; do sleep 0.1; done")
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async with asyncio.TaskGroup() as group:
        running = group.create_task(run_program(rust(tmp_path), on_line=lambda line: started.set_result(int(line))))
        pid = await started
        running.cancel()
        await until(asked.exists)
        running.cancel()

    assert running.cancelled()
    assert not Path(f"/proc/{pid}").exists()


async def test_a_gigabyte_is_refused_when_it_is_too_much_not_when_it_is_over(tmp_path: Path, tool: Tool) -> None:
    tool("cargo", "echo $$ >&2; exec cat /dev/zero")
    lines: list[str] = []

    with pytest.raises(ProgramFailed, match="more than 64 MiB, which is no pipeline"):
        await run_program(rust(tmp_path), on_line=lines.append)

    await gone(*map(int, lines))


async def test_a_message_before_a_failure_is_no_message(tmp_path: Path, tool: Tool) -> None:
    tool("cargo", "printf '\\n\\007nightly'; echo no more >&2; exit 4")

    with pytest.raises(ProgramFailed) as failed:
        await run_program(rust(tmp_path), on_line=quiet)

    assert failed.value.reason == "the program ended with the exit status 4"
    assert failed.value.last_lines == ("no more",)


async def test_a_signal_that_ended_a_program_is_named(tmp_path: Path, tool: Tool) -> None:
    tool("cargo", "kill -SEGV $$")

    with pytest.raises(ProgramFailed, match="was ended by the signal SIGSEGV"):
        await run_program(rust(tmp_path), on_line=quiet)


async def test_what_a_program_leaves_in_the_background_holds_nothing_up_and_goes(tmp_path: Path, tool: Tool) -> None:
    tool("cargo", "sleep 600 & echo $! >&2; printf '\\n\\007nightly'")
    lines: list[str] = []

    data = await run_program(rust(tmp_path), on_line=lines.append, limit=timedelta(minutes=5))

    assert data == b"\n\x07nightly"
    await gone(*map(int, lines))


async def test_who_left_the_group_with_the_output_open_is_not_waited_for(tmp_path: Path, tool: Tool) -> None:
    said = tmp_path / "said"
    leaves = f"setsid sh -c 'echo $$ >&2; touch {said}; exec sleep 600' & printf '\\n\\007nightly'"
    tool("cargo", f"{leaves}; until [ -e {said} ]; do sleep 0.02; done")
    lines: list[str] = []

    try:
        data = await run_program(rust(tmp_path), on_line=lines.append, limit=timedelta(minutes=5))
    finally:
        os.kill(int(lines[0]), signal.SIGKILL)

    assert data == b"\n\x07nightly"


async def test_a_program_has_no_terminal_to_ask_at(tmp_path: Path, tool: Tool) -> None:
    tool("cargo", "(exec < /dev/tty) 2>/dev/null && echo a terminal; read -r word; echo \"read '$word'\"")

    data = await run_program(rust(tmp_path), on_line=quiet)

    assert data == b"read ''\n"
