import asyncio
import os
import re
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gofer.lifecycle import running
from gofer.systemd import ServiceManager, Watchdog, is_journal
from tests.fakes.waiting import SOON_SECONDS


@pytest.fixture(params=["path", "abstract"])
def manager_socket(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@gofer-test-{os.getpid()}-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name[1:] if name.startswith("@") else name)
        listener.settimeout(SOON_SECONDS)
        yield name, listener


def test_systemd_hears_of_readiness_and_of_the_stop(manager_socket: tuple[str, socket.socket]) -> None:
    name, listener = manager_socket
    manager = ServiceManager({"NOTIFY_SOCKET": name})

    manager.ready(status="listening on\nlocalhost:8080")
    manager.stopping(status="draining")

    assert listener.recv(1000) == b"READY=1\nSTATUS=listening on localhost:8080"
    assert listener.recv(1000) == b"STOPPING=1\nSTATUS=draining"


@pytest.mark.parametrize("address", ["", "/nowhere/notify", "@nobody", "relative"])
def test_without_a_listening_manager_nothing_happens(address: str) -> None:
    ServiceManager({"NOTIFY_SOCKET": address}).ready(status="x")
    ServiceManager({}).stopping(status="x")


def test_systemd_hears_of_a_reload_with_the_time_and_of_what_is_done(
    manager_socket: tuple[str, socket.socket],
) -> None:
    name, listener = manager_socket
    manager = ServiceManager({"NOTIFY_SOCKET": name})

    manager.reloading(status="reading")
    manager.status("waiting for 3 runs")

    assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=\d+\nSTATUS=reading", listener.recv(1000))
    assert listener.recv(1000) == b"STATUS=waiting for 3 runs"


@pytest.mark.parametrize(
    ("environment", "interval"),
    [
        ({}, timedelta()),
        ({"WATCHDOG_USEC": "3000000"}, timedelta(seconds=1.5)),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, timedelta(seconds=1.5)),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, timedelta()),
        ({"WATCHDOG_USEC": "soon"}, timedelta()),
        ({"WATCHDOG_USEC": "9" * 30}, timedelta()),
    ],
    ids=["not asked", "asked", "this process", "another process", "no number", "beyond sense"],
)
def test_the_watchdog_hears_twice_as_often_as_it_waits(environment: dict[str, str], interval: timedelta) -> None:
    assert interval == ServiceManager(environment).watchdog_interval


async def test_the_watchdog_is_told_again_and_again(manager_socket: tuple[str, socket.socket]) -> None:
    name, listener = manager_socket
    manager = ServiceManager({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "2000"})

    async with running(Watchdog(manager), grace=timedelta(minutes=1)):
        told = [await asyncio.to_thread(listener.recv, 1000) for _ in range(3)]

    assert [b"WATCHDOG=1"] * 3 == told


async def test_without_a_watchdog_nothing_is_told() -> None:
    watchdog = Watchdog(ServiceManager({}))

    await watchdog.run(lambda: None)


def test_the_journal_is_told_from_other_places_to_write_to(tmp_path: Path) -> None:
    with (tmp_path / "journal").open("wb") as journal, (tmp_path / "file").open("wb") as file:
        status = os.fstat(journal.fileno())
        environment = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}

        assert is_journal(journal.fileno(), environment)
        assert not is_journal(file.fileno(), environment)
        assert not is_journal(journal.fileno(), {})
    assert not is_journal(-1, environment)
