"""`./dev demo`: a server in dev mode, a pipeline registered and run on it, what happened shown, and all of it removed.

Tasks run in containers where a Docker answers and has the image, or can pull it soon; else as processes, which is said.
"""

import asyncio
import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import aiodocker
import aiohttp

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = "examples/hello"
PIPELINE = "hello"
TASK = "greet"

DOCKER_ANSWER_SECONDS = 10
PULL_SECONDS = 20
START_SECONDS = 30
STOP_SECONDS = 20
LOG_LINES_SHOWN = 20


def main() -> int:
    """Show it; the exit status is 0 if the run was successful and everything is gone again."""
    signal.signal(signal.SIGTERM, _interrupt)
    engine = _choose_engine()
    folder = Path(tempfile.mkdtemp(prefix="gofer-demo-"))
    try:
        status = _demo(folder, engine)
    except KeyboardInterrupt:
        status = 130
    finally:
        shutil.rmtree(folder)
    _say(
        "everything is stopped and removed"
        if status == 0
        else f"FAILED with {status}; everything is stopped and removed"
    )
    return status


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    bold = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    print(f"\x1b[1mdemo: {text}\x1b[0m" if bold else f"demo: {text}", file=sys.stderr, flush=True)


# ---------------------------------------------------------------- which engine


def _choose_engine() -> str:
    image = runpy.run_path(str(ROOT / EXAMPLE / "pipeline.py"))["pipeline"].tasks[0].image
    reason = asyncio.run(_why_no_containers(image))
    if reason is None:
        _say("a Docker answers and has the image: tasks run in containers")
        return "docker"
    _say(f"NO CONTAINERS HERE: {reason}")
    _say("so tasks run as plain processes of this machine, without isolation and without their images")
    return "process"


async def _why_no_containers(image: str) -> str | None:
    """Give the reason in words; None where containers can run."""
    try:
        async with aiodocker.Docker() as docker:
            async with asyncio.timeout(DOCKER_ANSWER_SECONDS):
                await docker.version()
            return await _why_no_image(docker, image)
    except (aiodocker.DockerError, aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        return f"no Docker answers ({_words(error)})"


async def _why_no_image(docker: aiodocker.Docker, image: str) -> str | None:
    with suppress(aiodocker.DockerError):
        await docker.images.inspect(image)
        return None
    _say(f"pulling {image}, for at most {PULL_SECONDS} s ...")
    try:
        async with asyncio.timeout(PULL_SECONDS):
            await docker.images.pull(image)
    except TimeoutError:
        return f"{image} is not here, and was not pulled within {PULL_SECONDS} s"
    except (aiodocker.DockerError, aiohttp.ClientError) as error:
        return f"{image} is not here, and can't be pulled ({_words(error)})"
    return None


def _words(error: Exception) -> str:
    text = error.message if isinstance(error, aiodocker.DockerError) else str(error)
    return text or type(error).__name__


# ---------------------------------------------------------------- the demo itself


def _demo(folder: Path, engine: str) -> int:
    environment = _environment(folder, engine)
    log = folder / "server.log"
    with log.open("wb") as output:
        _say("$ gofer service start --dev-mode   (in the background)")
        server = subprocess.Popen(
            ["gofer", "service", "start", "--dev-mode"],
            env=environment,
            stdout=output,
            stderr=output,
            cwd=ROOT,
            start_new_session=True,  # Ctrl-C is for us: the run is cancelled first, by a server that still answers
        )
    try:
        status = _show(environment, lambda: server.poll() is None)
    except BaseException:
        # Nothing of ours goes on running when somebody has had enough of it.
        _gofer(environment, "run", "cancel-all", PIPELINE, "--force", quietly=True)
        raise
    finally:
        stopped = _stop(server)
    if status or not stopped:
        _say("the end of the server's log:")
        sys.stderr.write("\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]) + "\n")
    return status or int(not stopped)


def _show(environment: Mapping[str, str], lives: Callable[[], bool]) -> int:
    if not _wait_until_ready(environment, lives):
        _say("the server did not start")
        return 1
    steps = (
        ("up", EXAMPLE),
        ("run", "start", PIPELINE, "--follow"),
        ("run", "get", PIPELINE, "1"),
        ("taskrun", "logs", PIPELINE, "1", TASK),
    )
    return next((status for step in steps if (status := _gofer(environment, *step))), 0)


def _wait_until_ready(environment: Mapping[str, str], lives: Callable[[], bool]) -> bool:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and lives():
        if _gofer(environment, "service", "info", quietly=True) == 0:
            return True
        time.sleep(0.1)
    return False


def _gofer(environment: Mapping[str, str], *arguments: str, quietly: bool = False) -> int:
    if quietly:
        return subprocess.run(
            ["gofer", *arguments], env=environment, cwd=ROOT, check=False, capture_output=True
        ).returncode
    _say(f"$ gofer {' '.join(arguments)}")
    status = subprocess.run(["gofer", *arguments], env=environment, cwd=ROOT, check=False).returncode
    print(file=sys.stderr)
    return status


def _stop(server: subprocess.Popen[bytes]) -> bool:
    server.terminate()
    try:
        return server.wait(STOP_SECONDS) == 0
    except subprocess.TimeoutExpired:
        _say(f"the server did not stop within {STOP_SECONDS} s: killed")
        server.kill()
        server.wait()
        return False


def _environment(folder: Path, engine: str) -> dict[str, str]:
    """Give the environment of a server and a client of the demo's own, whatever is set up on this machine."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("GOFER_")}
    address = f"localhost:{_free_port()}"
    client_file = folder / "client.hcl"
    client_file.touch()
    return mine | {
        "GOFER_SERVER__HOST": address,
        "GOFER_SERVER__ADDRESS": address,
        "GOFER_SERVER__STORAGE_PATH": str(folder / "data" / "gofer.db"),
        "GOFER_EXTERNAL_EVENTS_API__ENABLE": "false",
        "GOFER_SCHEDULER__ENGINE": engine,
        "GOFER_CLI_HOST": address,
        "GOFER_CLI_CONFIG_PATH": str(client_file),
        "GOFER_CLI_NAMESPACE": "default",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main())
