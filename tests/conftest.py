"""What holds for every test: nothing is left behind, and tests on real containers say when they are left out."""

import asyncio
import gc
import inspect
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, settings

GRACE_SECONDS = 15.0

# Without a deadline, for a busy machine proves nothing about the code; in CI the same examples each time, so that a
# change is not blamed for what another example would have found before it.
settings.register_profile("here", deadline=None, max_examples=60)
settings.register_profile("ci", settings.get_profile("here"), derandomize=True, max_examples=40)
settings.register_profile(
    "fuzz",
    settings.get_profile("here"),
    max_examples=int(os.environ.get("GOFER_FUZZ_EXAMPLES") or 1000),
    phases=(Phase.explicit, Phase.generate),  # to make an example smaller takes longer than to find it
)
PROFILE = os.environ.get("GOFER_TEST_PROFILE") or ("ci" if os.environ.get("CI") else "here")
settings.load_profile(PROFILE)


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    """Fail a test that leaves a thread running, or something unclosed.

    Set up before any event loop and so torn down after it. What is unclosed warns when it is collected, and warnings
    are errors.
    """
    before = set(threading.enumerate())
    yield
    gc.collect()
    gc.freeze()  # as at the beginning: what is there still belongs to modules that were imported meanwhile
    left = [thread for thread in threading.enumerate() if thread not in before and not thread.daemon]
    for thread in left:
        thread.join(GRACE_SECONDS)
    alive = [thread.name for thread in left if thread.is_alive()]
    assert alive == [], f"threads left running: {alive}"


@pytest.fixture(autouse=True)
def no_task_left(request: pytest.FixtureRequest, nothing_left_open: None) -> None:
    """Fail a test whose event loop still has work after everything was torn down."""
    function = getattr(request.node, "obj", None)
    if inspect.iscoroutinefunction(inspect.unwrap(function)) if function else False:
        request.getfixturevalue("_task_watch")


@pytest.fixture
async def _task_watch() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        # A connection that is closing may need a few turns of the loop; whatever ends by itself is fine.
        _, left = await asyncio.wait(left, timeout=GRACE_SECONDS)
    assert sorted(task.get_name() for task in left) == [], f"tasks left running: {left}"


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of 127.0.0.1 at which nothing listens, and that is nobody else's meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        yield port


IGNORED = tuple(
    number
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
    if signal.getsignal(number) is signal.SIG_IGN
)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Have what a test starts hear signals, where whoever runs the tests ignores them: nohup, a shell's background job.

    Who ignores a signal hands that down to programs that it starts; who hears it and does nothing hands nothing down.
    Again before each test, as what a test does itself with a signal may end with letting go of it.
    """
    for number in IGNORED:
        signal.signal(number, lambda *_: None)


def pytest_collection_finish() -> None:
    # What modules hold for ever needs no look at in the collection after each test: 40 ms become 1.
    gc.collect()
    gc.freeze()


# ---------------------------------------------------------------- tests on real containers, and of other languages


def _docker_is_wanted() -> bool:
    """Whether tests marked `docker` run: as GOFER_TEST_DOCKER says, or if a daemon answers."""
    wish = os.environ.get("GOFER_TEST_DOCKER", "")
    return wish == "1" if wish else _docker_answers()


def _docker_answers() -> bool:
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not host.startswith("unix://"):
        return True
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        try:
            connection.connect(host.removeprefix("unix://"))
            connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in connection.recv(64)
        except OSError:
            return False


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    config.stash[LEFT_OUT] = []
    if PROFILE == "fuzz":
        for item in items:
            item.add_marker(pytest.mark.timeout(0), append=False)  # before those of the tests themselves
    elif (general := float(os.environ.get("PYTEST_TIMEOUT") or 0)) > 0:
        _lengthen_own_limits(items, general / float(config.getini("timeout")))
    if count := _leave_out("docker", config, items, wanted=_docker_is_wanted):
        config.stash[LEFT_OUT].append(f"{count} tests on real containers; './dev docker' makes one for them")
    elif _has_marked("docker", items) and not _docker_answers():
        pytest.exit("GOFER_TEST_DOCKER=1, but no Docker answers: './dev docker' makes one", returncode=3)
    if count := _leave_out("languages", config, items, wanted=_languages_are_wanted):
        config.stash[LEFT_OUT].append(
            f"{count} tests of programs in Go and Rust; './dev languages' gets what they need"
        )


def _lengthen_own_limits(items: list[pytest.Item], times: float) -> None:
    """Let the limits that tests set themselves grow as the general one does on a machine that may be slow."""
    for item in items:
        own = item.get_closest_marker("timeout")
        if own and times > 1:
            item.add_marker(pytest.mark.timeout(own.args[0] * times), append=False)


def _has_marked(marker: str, items: list[pytest.Item]) -> bool:
    return any(item.get_closest_marker(marker) for item in items)


def _leave_out(marker: str, config: pytest.Config, items: list[pytest.Item], *, wanted: Callable[[], bool]) -> int:
    """Leave out the marked tests if they aren't wanted; return how many that were."""
    marked = {item for item in items if item.get_closest_marker(marker)}
    if not marked or wanted():
        return 0
    config.hook.pytest_deselected(items=list(marked))
    items[:] = [item for item in items if item not in marked]
    return len(marked)


def _languages_are_wanted() -> bool:
    """Whether tests marked `languages` run: as GOFER_TEST_LANGUAGES says, or if the tools are there."""
    wish = os.environ.get("GOFER_TEST_LANGUAGES", "")
    return wish == "1" if wish else all(shutil.which(tool) for tool in ("go", "cargo"))


LEFT_OUT = pytest.StashKey[list[str]]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for what in config.stash.get(LEFT_OUT, []):
        terminalreporter.write_line(f"left out: {what}")


# ---------------------------------------------------------------- the closing line, kept for the end of ./dev test

STARTED = pytest.StashKey[float]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[STARTED] = time.monotonic()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    target = os.environ.get("GOFER_TEST_CLOSING")
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if not target or not isinstance(reporter, pytest.TerminalReporter):
        return
    parts, _ = reporter.build_summary_stats_line()
    outcome = ", ".join(text for text, _ in parts)
    seconds = time.monotonic() - config.stash[STARTED]
    with Path(target).open("a") as closing:
        closing.write(f"{' '.join(config.args)}: {outcome} in {seconds:.1f} s\n")
