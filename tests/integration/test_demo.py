import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 90

pytestmark = [pytest.mark.slow, pytest.mark.timeout(SECONDS + 10)]


def _demo(tmp_path: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, ROOT / "dev.d" / "demo.py"],
        env=os.environ
        | {"TMPDIR": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
    )


def _nothing_is_left(tmp_path: Path) -> bool:
    return not list(tmp_path.iterdir())


def test_without_docker_the_demo_says_loudly_that_it_uses_processes_and_shows_a_run(tmp_path: Path) -> None:
    with _demo(tmp_path, DOCKER_HOST=f"unix://{tmp_path}/no.sock") as demo:
        shown, said = demo.communicate(timeout=SECONDS)

    assert 0 == demo.returncode, said
    assert "NO CONTAINERS HERE: no Docker answers" in said
    assert "Hello from Gofer!" in shown
    assert "Successful" in shown
    assert _nothing_is_left(tmp_path)


@pytest.mark.docker
def test_with_docker_the_demo_runs_containers(tmp_path: Path) -> None:
    subprocess.run([ROOT / "dev.d" / "docker"], check=True, capture_output=True)  # the image is there

    with _demo(tmp_path) as demo:
        shown, said = demo.communicate(timeout=SECONDS)

    assert 0 == demo.returncode, said
    assert "tasks run in containers" in said
    assert "Hello from Gofer!" in shown
    assert _nothing_is_left(tmp_path)


def test_a_demo_that_is_interrupted_takes_everything_away(tmp_path: Path) -> None:
    with _demo(tmp_path, DOCKER_HOST=f"unix://{tmp_path}/no.sock") as demo:
        assert demo.stderr is not None
        while "gofer up" not in demo.stderr.readline():
            assert demo.poll() is None
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=SECONDS)

    assert 130 == demo.returncode
    assert _nothing_is_left(tmp_path)
