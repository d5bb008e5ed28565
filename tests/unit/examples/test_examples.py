"""The examples are what they say they are, and their commands work on any machine with a shell."""

import functools
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gofer_sdk._proto import proto
from gofer_sdk.pipeline.message import decode_config

EXAMPLES = Path(__file__).parents[3] / "examples"
Status = proto.UserPipelineTaskConfigRequiredParentStatus


@functools.cache
def load(name: str) -> proto.UserPipelineConfig:
    """Load an example as `gofer up` does."""
    file = EXAMPLES / name / "pipeline.py"
    done = subprocess.run(
        [sys.executable, "-m", "gofer_sdk.pipeline.load", str(file)], capture_output=True, check=True, text=False
    )
    return decode_config(done.stdout)


def run(task: proto.UserPipelineTaskConfig, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run a task's command as the process engine does: PATH and the task's variables, nothing else."""
    environment = {"PATH": "/usr/bin:/bin", "GOFER_PIPELINE_ID": "the_pipeline", "GOFER_RUN_ID": "7", **task.variables}
    return subprocess.run(
        [*task.entrypoint, *task.command], env=environment, cwd=folder, capture_output=True, check=False, text=True
    )


@pytest.mark.parametrize("name", ["hello", "dag", "script", "parallel", "secrets", "objects"])
def test_an_example_is_a_pipeline_under_its_folder_name_with_a_page(name: str, tmp_path: Path) -> None:
    config = load(name)

    assert config.id == name
    assert f"gofer up examples/{name}" in (EXAMPLES / name / "README.md").read_text()
    expected = {"check": 3}
    with ThreadPoolExecutor() as threads:
        ended = threads.map(lambda task: (task.id, run(task, tmp_path).returncode), config.tasks)
    assert dict(ended) == {task.id: expected.get(task.id, 0) for task in config.tasks}


def test_hello_says_which_run_it_is(tmp_path: Path) -> None:
    (task,) = load("hello").tasks

    assert "run 7 of the pipeline the_pipeline" in run(task, tmp_path).stdout


def test_dag_has_all_kinds_of_dependencies() -> None:
    kinds = {status for task in load("dag").tasks for status in task.depends_on.values()}

    assert kinds == {Status.SUCCESS, Status.FAILURE, Status.ANY}


def test_script_counts_as_far_as_its_variable_says(tmp_path: Path) -> None:
    (task,) = load("script").tasks

    assert run(task, tmp_path).stdout.splitlines()[-1] == "number 5"


def test_parallel_fans_out_and_in() -> None:
    tasks = {task.id: set(task.depends_on) for task in load("parallel").tasks}

    workers = {task for task in tasks if task.startswith("work_")}
    assert len(workers) == 4
    assert all(tasks[worker] == {"split"} for worker in workers)
    assert tasks["join"] == workers
