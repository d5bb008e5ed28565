"""A Python file becomes a message, however its author wrote it."""

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from gofer_sdk._proto import proto

HEAD = "from gofer_sdk.pipeline import *\n"


def load(folder: Path, program: str) -> "subprocess.CompletedProcess[bytes]":
    """Write the program to a file and load it as `gofer up` does."""
    file = folder / "pipeline.py"
    file.write_text(HEAD + dedent(program))
    return subprocess.run(
        [sys.executable, "-m", "gofer_sdk.pipeline.load", str(file)], capture_output=True, check=False, cwd=folder
    )


def pipeline_of(done: "subprocess.CompletedProcess[bytes]") -> str:
    """Return the id of the pipeline that came out."""
    assert done.returncode == 0, done.stderr.decode()
    return proto.UserPipelineConfig.parse(done.stdout).id


def test_the_one_pipeline_among_the_variables_is_found_and_prints_spoil_nothing(tmp_path: Path) -> None:
    done = load(
        tmp_path,
        """
        print("debugging")
        nightly = Pipeline(id="nightly", tasks=[Task(id="one", image="i")])
        the_same = nightly
        """,
    )

    assert pipeline_of(done) == "nightly"
    assert b"debugging" in done.stderr


@pytest.mark.parametrize("ending", ["", "raise SystemExit(0)", "sys.exit()"])
def test_what_is_emitted_counts_even_beside_other_pipelines(tmp_path: Path, ending: str) -> None:
    done = load(
        tmp_path,
        f"""
        import sys
        other = Pipeline(id="other", tasks=[])
        print("hello")
        if __name__ == "__main__":
            Pipeline(id="nightly", tasks=[]).emit()
        {ending}
        """,
    )

    assert pipeline_of(done) == "nightly"
    assert b"hello" in done.stderr


def test_a_message_that_the_program_printed_itself_is_taken(tmp_path: Path) -> None:
    done = load(
        tmp_path,
        """
        import sys
        from gofer_sdk._proto import proto
        sys.stdout.buffer.write(bytes(proto.UserPipelineConfig(id="by_hand")))
        """,
    )

    assert pipeline_of(done) == "by_hand"


def test_modules_beside_the_file_can_be_imported(tmp_path: Path) -> None:
    (tmp_path / "shared_parts.py").write_text(HEAD + "TASK = Task(id='one', image='i')\n")

    done = load(tmp_path, "from shared_parts import TASK\np = Pipeline(id='nightly', tasks=[TASK])")

    assert pipeline_of(done) == "nightly"


@pytest.mark.parametrize(
    ("program", "status", "expected"),
    [
        ("a = Pipeline(id='aaa', tasks=[])\nb = Pipeline(id='bbb', tasks=[])", 1, "several pipelines (a, b)"),
        ("x = 1", 1, "describes no pipeline"),
        ("print('before')\np = Pipeline(id='a', tasks=[])", 1, "pipeline.py:3: pipeline id 'a' is too short"),
        ("print('before')\nraise SystemExit(7)", 7, "before"),
        ("print('before')\n1 / 0", 1, "ZeroDivisionError"),
        (
            "p = Pipeline(id='abc', tasks=[])\np.emit()\np.emit()",
            1,
            "pipeline.py:4: this emits a second pipeline: a program describes one",
        ),
    ],
)
def test_what_is_no_pipeline_is_told(tmp_path: Path, program: str, status: int, expected: str) -> None:
    done = load(tmp_path, program)

    assert done.returncode == status
    assert done.stdout == b""
    assert expected in done.stderr.decode()
    assert ("before" in program) == (b"before" in done.stderr)


def test_faults_come_without_a_traceback(tmp_path: Path) -> None:
    done = load(tmp_path, "p = Pipeline(id='a', tasks=[])")

    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("program", "shown"),
    [
        ("1 / 0", ["Traceback", 'pipeline.py", line 2, in <module>', "1 / 0", "ZeroDivisionError"]),
        ("Task('build')", ["Traceback", 'pipeline.py", line 2, in <module>', "Task('build')", "TypeError"]),
        ("x = (", ['pipeline.py", line 2', "x = (", "SyntaxError: '(' was never closed"]),
    ],
)
def test_an_error_is_shown_from_the_programs_own_line_on(tmp_path: Path, program: str, shown: list[str]) -> None:
    """The lines of what had run the file were most of what was shown."""
    lines = load(tmp_path, program).stderr.decode().splitlines()

    assert all(expected in "\n".join(lines) for expected in shown)
    assert not any("gofer_sdk" in line or "runpy" in line for line in lines)


@pytest.mark.parametrize("arguments", [[], ["nowhere.py"], ["a", "b"]])
def test_a_wrong_call_is_told(tmp_path: Path, arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gofer_sdk.pipeline.load", *arguments], capture_output=True, check=False, cwd=tmp_path
    )

    assert done.returncode == 2
    assert done.stderr


def test_a_program_run_by_hand_writes_its_message_on_stdout(tmp_path: Path) -> None:
    file = tmp_path / "by_hand.py"
    file.write_text(HEAD + "Pipeline(id='nightly', tasks=[]).emit()\n")

    done = subprocess.run([sys.executable, str(file)], capture_output=True, check=False, cwd=tmp_path)

    assert pipeline_of(done) == "nightly"
