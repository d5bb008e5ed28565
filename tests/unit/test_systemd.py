import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gofer.systemd import ServiceManager


@pytest.fixture(params=["path", "abstract"])
def manager_socket(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@gofer-test-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name[1:] if name.startswith("@") else name)
        listener.settimeout(5)
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
