"""Speaking to a daemon, a scripted one: versions, refusals, and what is no daemon."""

import json
import struct
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from gofer.config.settings import DockerSettings
from gofer.core.errors import EngineUnavailable, FailedPrecondition, GoferError, InvalidInput, NotFound
from gofer.core.output import LogCursor
from gofer.engines.protocols import ContainerHandle, ContainerState, ContainerStatus
from gofer.engines.scheduler.docker import create
from gofer.engines.scheduler.docker_client import Conflict, DockerClient, Endpoint
from gofer.engines.scheduler.docker_logs import Output

VERSION = {"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12"}
HANDLE = ContainerHandle("0" * 64)


@dataclass(slots=True)
class ScriptedDaemon:
    """Answers each path, without its version, as it is told to; 404 otherwise."""

    url: str
    version: dict[str, str] = field(default_factory=lambda: dict(VERSION))
    answers: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        if request.path == "/version":
            return web.json_response(self.version)
        found = self.answers.get(request.path.split("/", 2)[2])
        if found is None:
            return web.json_response({"message": "page not found"}, status=404)
        return await found(request)

    def says(self, path: str, status: int, text: str, content_type: str = "application/json") -> None:
        async def answer(_: web.Request) -> web.StreamResponse:
            return web.Response(status=status, text=text, content_type=content_type)

        self.answers[path] = answer


@asynccontextmanager
async def scripted_daemon() -> AsyncIterator[ScriptedDaemon]:
    with tempfile.TemporaryDirectory(prefix="gofer-docker-") as folder:
        daemon = ScriptedDaemon(f"unix://{folder}/docker.sock")
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", daemon.answer)
        runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.UnixSite(runner, f"{folder}/docker.sock").start()
            yield daemon
        finally:
            await runner.cleanup()


@pytest.fixture
async def daemon() -> AsyncIterator[ScriptedDaemon]:
    async with scripted_daemon() as entered:
        yield entered


@pytest.fixture
async def client(daemon: ScriptedDaemon) -> AsyncIterator[DockerClient]:
    entered = await DockerClient.connect(Endpoint(url=daemon.url))
    yield entered
    await entered.close()


# ---------------------------------------------------------------- connecting


@pytest.mark.parametrize(
    ("newest", "oldest", "spoken"), [("1.41", "1.12", "v1.41"), ("1.50", "1.24", "v1.41"), ("1.52", "1.44", "v1.44")]
)
async def test_our_version_is_spoken_or_the_oldest_that_a_younger_daemon_knows(
    daemon: ScriptedDaemon, newest: str, oldest: str, spoken: str
) -> None:
    daemon.version |= {"ApiVersion": newest, "MinAPIVersion": oldest}
    daemon.says("info", 200, "{}")

    client = await DockerClient.connect(Endpoint(url=daemon.url))
    await client.get("info")
    await client.close()

    assert daemon.asked == ["/version", f"/{spoken}/info"]


async def test_a_daemon_that_is_too_old_is_refused_in_words(daemon: ScriptedDaemon) -> None:
    daemon.version |= {"Version": "19.03.1", "ApiVersion": "1.40"}

    with pytest.raises(FailedPrecondition, match=r"Docker \(19.03.1\) is too old.*20.10"):
        await DockerClient.connect(Endpoint(url=daemon.url))


@pytest.mark.parametrize("url", ["", "docker", "unix://", "ssh://user@host", "/var/run/docker.sock"])
async def test_what_is_no_host_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"unix:///path/to/docker\.sock"):
        await DockerClient.connect(Endpoint(url=url))


async def test_a_host_over_tcp_is_possible(closed_port: int) -> None:
    with pytest.raises(EngineUnavailable, match=f"no Docker answers at tcp://127.0.0.1:{closed_port}"):
        await DockerClient.connect(Endpoint(url=f"tcp://127.0.0.1:{closed_port}"))


async def test_certificates_that_are_missing_are_told(tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match=f"certificates for Docker in {tmp_path}"):
        await DockerClient.connect(Endpoint(url="tcp://127.0.0.1:1", tls_folder=tmp_path))


async def test_the_settings_name_the_daemon_else_the_environment(
    monkeypatch: pytest.MonkeyPatch, daemon: ScriptedDaemon
) -> None:
    daemon.says("info", 200, '{"NCPU": 2}')
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")

    async with create(DockerSettings(host=daemon.url)):
        pass
    with pytest.raises(EngineUnavailable, match=r"unix:///nowhere/docker\.sock"):
        async with create(DockerSettings()):
            pass

    monkeypatch.setenv("DOCKER_HOST", daemon.url)
    async with create(DockerSettings()):
        pass


async def test_an_engine_that_was_left_is_out_of_reach(daemon: ScriptedDaemon) -> None:
    daemon.says("info", 200, '{"NCPU": 2}')
    async with create(DockerSettings(host=daemon.url)) as engine:
        pass

    with pytest.raises(EngineUnavailable, match="not connected"):
        await engine.inspect(HANDLE)


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("status", "said", "asking", "doing"),
    [
        (400, "bad parameter", FailedPrecondition, FailedPrecondition),
        (404, "No such container: abc", NotFound, NotFound),
        (404, "no such image: a: No such image: a", NotFound, NotFound),
        (404, "No such exec instance: abc", NotFound, NotFound),
        (404, "network x not found", FailedPrecondition, FailedPrecondition),
        (409, "name is in use", Conflict, Conflict),
        (500, "OCI runtime create failed", EngineUnavailable, FailedPrecondition),
        (500, "transport is closing: unavailable", EngineUnavailable, EngineUnavailable),
        (503, "shutting down", EngineUnavailable, EngineUnavailable),
    ],
)
async def test_a_refusal_means_what_the_status_and_the_question_say(
    daemon: ScriptedDaemon,
    client: DockerClient,
    status: int,
    said: str,
    asking: type[GoferError],
    doing: type[GoferError],
) -> None:
    daemon.says("thing", status, json.dumps({"message": said}))

    with pytest.raises(GoferError, match=said) as asked:
        await client.get("thing")
    with pytest.raises(GoferError, match=said) as done:
        await client.post("thing")

    assert (type(asked.value), type(done.value)) == (asking, doing)


@pytest.mark.parametrize(
    ("status", "text", "content_type"),
    [
        (200, "<html>", "text/html"),
        (200, "{", "application/json"),
        (500, "not json", "application/json"),
        (502, "bad gateway", "text/plain"),
    ],
)
async def test_an_answer_that_is_none_of_a_daemon_says_nothing(
    daemon: ScriptedDaemon, client: DockerClient, status: int, text: str, content_type: str
) -> None:
    daemon.says("thing", status, text, content_type)

    with pytest.raises(EngineUnavailable):
        await client.get("thing")


# ---------------------------------------------------------------- a log that can't be read


def entry(payload: bytes, number: int = 1) -> bytes:
    stamped = payload if number == 3 else b"2026-11-22T06:04:55.000000001Z " + payload
    return struct.pack(">BxxxI", number, len(stamped)) + stamped


async def test_a_log_that_the_daemon_can_not_read_to_its_end_gives_what_it_has(
    daemon: ScriptedDaemon, client: DockerClient
) -> None:
    """After a crash of the machine the log's last entry may be half written; a task must not wait for it for ever."""

    async def broken_log(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(entry(b"one\n"))
        await response.write(entry(b"Error grabbing logs: unexpected EOF", 3))
        return response

    async def ended(_: ContainerHandle) -> ContainerStatus:
        return ContainerStatus(state=ContainerState.EXITED, exit_code=0)

    daemon.answers[f"containers/{HANDLE}/logs"] = broken_log
    output = Output(client, HANDLE, status=ended, since=LogCursor(stdout_bytes=1))

    async with output.opened(unstarted=False) as chunks:
        read = b"".join([chunk.data async for chunk in chunks])

    assert read == b"ne\n"
