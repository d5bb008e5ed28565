"""The example that takes its time is what it says it is."""

import subprocess
import sys
from pathlib import Path

from gofer_sdk.pipeline.message import decode_config

EXAMPLE = Path(__file__).parents[3] / "examples" / "slow"


def test_slow_takes_as_long_as_its_variable_says_one_run_at_a_time(tmp_path: Path) -> None:
    loaded = subprocess.run(
        [sys.executable, "-m", "gofer_sdk.pipeline.load", EXAMPLE / "pipeline.py"], capture_output=True, check=True
    )
    config = decode_config(loaded.stdout)
    (task,) = config.tasks

    done = subprocess.run(
        [*task.entrypoint, *task.command],
        env={"PATH": "/usr/bin:/bin", **task.variables, "SECONDS": "0"},
        cwd=tmp_path,
        capture_output=True,
        check=True,
        text=True,
    )

    assert ("slow", 1) == (config.id, config.parallelism)
    assert {"SECONDS": "60"} == task.variables
    assert "working for 0 seconds\ndone\n" == done.stdout
    assert "gofer up examples/slow" in (EXAMPLE / "README.md").read_text()
