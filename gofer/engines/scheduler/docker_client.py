"""The only module that speaks HTTP to a Docker daemon, and the only one that knows aiodocker.

Requests go through aiodocker, but not through its methods for output and waiting: those merge the two streams, replace
bytes that are no UTF-8, and keep the connection of whoever was cancelled. Every error becomes one of ours here.
"""

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Final, Self

import aiodocker
import aiohttp
from aiodocker.stream import Stream
from aiodocker.types import SENTINEL
from yarl import URL

from gofer.core.errors import EngineUnavailable, FailedPrecondition, GoferError, InvalidInput, NotFound
from gofer.engines.scheduler.docker_convert import Json, text_of

DEFAULT_HOST: Final = "unix:///var/run/docker.sock"

_API_VERSION: Final = (1, 41)  # what this package was written for, and the least that it works with
_READ_BYTES: Final = 256 * 1024
_CONNECT_SECONDS: Final = 10.0
_ANSWER_SECONDS: Final = 120.0
_LOST: Final = 900  # aiodocker's number for a connection that failed
_MISSING: Final = 404
_CONFLICT: Final = 409
_INTERNAL: Final = 500
_UNKNOWN: Final = ("no such container", "no such image", "no such exec")
# What a daemon answers with 500 while it, or its containerd, goes down: words that a registry may be told with, too.
_PASSING: Final = re.compile(
    r"shutting down|context canceled|context deadline exceeded|transport is closing|error reading from server"
    r"|connection refused|connection reset|containerd is not running",
    re.IGNORECASE,
)


class At500(Enum):
    """What an answer of 500 to a request means; Docker uses it for all that it has no better number for."""

    AT_A_LOSS = auto()  # asked for something: the daemon can't say now
    REFUSED = auto()  # asked to do something: it won't, unless its words are those of one that goes down
    ALWAYS_REFUSED = auto()  # asked for something of a third party: what went wrong there went wrong


class Conflict(FailedPrecondition):
    """The daemon says that something is in the way: a name that is taken, a container that does not run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a daemon listens: `unix://`, `tcp://`, `http://` or `https://`.

    A `tls_folder` has `ca.pem`, `cert.pem` and `key.pem`, and turns TLS on for TCP.
    """

    url: str
    tls_folder: Path | None = None


class ByteStream:
    """The body of an answer, as it comes."""

    def __init__(self, response: aiohttp.ClientResponse, request: "_Request") -> None:
        self._content = response.content
        self._request = request

    async def read(self) -> bytes:
        """Give what has arrived, waiting for at least a byte; empty at the end. Cancelling loses nothing.

        Raises `EngineUnavailable` where the connection breaks before the end, as far as that can be told.
        """
        with _translating(self._request):
            return await self._content.readany()

    async def lines(self) -> AsyncIterator[bytes]:
        """Give line after line to the end. Raises as `read`."""
        while True:
            with _translating(self._request):
                line = await self._content.readline()
            if not line:
                return
            yield line


class HijackedStream:
    """A connection that was a request's, and carries bytes both ways since."""

    def __init__(self, stream: Stream, request: "_Request") -> None:
        self._stream = stream
        self._request = request

    async def read(self) -> bytes:
        """Give what has arrived, waiting for at least a byte; empty at the end. Cancelling loses nothing.

        Raises `EngineUnavailable` where the connection breaks, as far as that can be told.
        """
        with _translating(self._request):
            message = await self._stream.read_out()
        return b"" if message is None else message.data

    async def write(self, data: bytes) -> None:
        """Send bytes; nothing where the other side has ended. Raises as `read`."""
        with _translating(self._request), suppress(AssertionError):  # aiodocker asserts that the connection is there
            await self._stream.write_in(data)


class DockerClient(aiodocker.Docker):
    """Connections to one daemon: made by `connect`, ended by `close`."""

    def __init__(self, endpoint: Endpoint, connector: aiohttp.BaseConnector) -> None:
        """Use the connector for all requests; `connect` does this and agrees on a version."""
        timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS, sock_connect=_CONNECT_SECONDS)
        session = aiohttp.ClientSession(connector=connector, timeout=timeout, read_bufsize=_READ_BYTES)
        super().__init__(
            url=_base_url(endpoint, connector),
            connector=connector,
            session=session,
            timeout=timeout,
            api_version=f"v{_API_VERSION[0]}.{_API_VERSION[1]}",
        )
        self.endpoint = endpoint

    @classmethod
    async def connect(cls, endpoint: Endpoint) -> Self:
        """Connect and agree on a version of the API.

        Raises `EngineUnavailable` where nobody answers, `FailedPrecondition` where the daemon is too old,
        `InvalidInput` for an endpoint that can't be.
        """
        client = cls(endpoint, await _connector(endpoint))
        try:
            client.api_version = _agreed_version(await client.daemon_version())
        except BaseException:
            await client.close()
            raise
        return client

    async def close(self) -> None:
        """Close every connection. Safe to repeat."""
        await super().close()
        await self.session.close()

    async def daemon_version(self) -> Json:
        """Ask what the daemon is and what it is made of."""
        try:
            return _object(await self._call(_Request(path="version", versioned=False)))
        except EngineUnavailable as error:
            raise EngineUnavailable(
                f"no Docker answers at {self.endpoint.url}: {error.message}; start it, or set scheduler.docker.host"
            ) from error

    async def get(self, path: str, **params: str) -> Json:
        """Ask for one thing. A daemon that is at a loss (500) is `EngineUnavailable`."""
        return _object(await self._call(_Request(path=path, params=params)))

    async def list(self, path: str, **params: str) -> list[Json]:
        """Ask for many things. Raises as `get`."""
        answer = await self._call(_Request(path=path, params=params))
        return [each for each in answer if isinstance(each, dict)] if isinstance(answer, list) else []

    async def post(self, path: str, body: Json | None = None, **params: str) -> Json:
        """Ask to do something. A daemon that refuses (400, 500) is `FailedPrecondition`, a 409 `Conflict`."""
        return _object(
            await self._call(_Request(method="POST", path=path, params=params, body=body, at_500=At500.REFUSED))
        )

    async def delete(self, path: str, **params: str) -> None:
        """Ask to remove something. A daemon that can't (500) is `EngineUnavailable`, a 409 `Conflict`."""
        await self._call(_Request(method="DELETE", path=path, params=params))

    async def wait(self, path: str, **params: str) -> None:
        """Ask to be answered when something has happened, which may take for ever. Raises as `get`."""
        await self._call(_Request(method="POST", path=path, params=params, forever=True))

    async def head(self, path: str, params: Mapping[str, str]) -> Mapping[str, str]:
        """Ask for the headers only; there are none of interest where the daemon refuses."""
        request = _Request(method="HEAD", path=path, params=params)
        with _translating(request):
            # aiodocker expects every refusal to have a body
            async with self.session.head(self._canonicalize_url(path), params=dict(params)) as response:
                return dict(response.headers)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        at_500: At500 = At500.AT_A_LOSS,
    ) -> AsyncIterator[ByteStream]:
        """Send a request whose answer may take for ever, and give its body; leaving frees the connection.

        Raises as `get`, but for what `at_500` says.
        """
        request = _Request(method=method, path=path, params=params, headers=headers or {}, forever=True, at_500=at_500)
        async with AsyncExitStack() as stack:
            with _translating(request):
                response = await stack.enter_async_context(self._send(request))
            yield ByteStream(response, request)

    @asynccontextmanager
    async def hijacked(self, path: str, body: Json) -> AsyncIterator[HijackedStream]:
        """Ask to do something with the connection from then on; leaving closes it. Raises as `post`."""
        request = _Request(method="POST", path=path, body=body, forever=True, at_500=At500.REFUSED)

        async def ask() -> tuple[URL, bytes, bool]:
            return URL(path), json.dumps(body).encode(), True

        stream = Stream(self, ask, aiohttp.ClientTimeout(sock_connect=_CONNECT_SECONDS))
        try:
            with _translating(request):
                await stream.__aenter__()
            yield HijackedStream(stream, request)
        finally:
            with suppress(AssertionError):
                await stream.close()

    async def _call(self, request: "_Request") -> object:
        with _translating(request):
            async with self._send(request) as response:
                text = await response.read()
            answer: object = json.loads(text) if text else None
            return answer

    @asynccontextmanager
    async def _send(self, request: "_Request") -> AsyncIterator[aiohttp.ClientResponse]:
        # aiodocker's own `_query` never lets go of an answer that its reader left unread.
        response = await self._do_query(
            request.path,
            request.method,
            params=dict(request.params),
            data=None if request.body is None else json.dumps(request.body),
            headers=request.headers,
            timeout=aiohttp.ClientTimeout(sock_connect=_CONNECT_SECONDS) if request.forever else SENTINEL,
            versioned_api=request.versioned,
        )
        try:
            yield response
        except BaseException:
            response.close()
            raise
        finally:
            response.release()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What to ask the daemon."""

    path: str
    method: str = "GET"
    params: Mapping[str, str] = field(default_factory=dict)
    body: Json | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    forever: bool = False
    at_500: At500 = At500.AT_A_LOSS
    versioned: bool = True

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


# ------------------------------------------------------------ connecting


async def _connector(endpoint: Endpoint) -> aiohttp.BaseConnector:
    scheme, separator, rest = endpoint.url.partition("://")
    if separator and rest and scheme == "unix":
        return aiohttp.UnixConnector(rest, limit=0)
    if separator and rest and scheme in {"tcp", "http", "https"}:
        if endpoint.tls_folder is None:
            return aiohttp.TCPConnector(limit=0)
        return aiohttp.TCPConnector(limit=0, ssl=await asyncio.to_thread(_tls, endpoint.tls_folder))
    raise InvalidInput(
        f"{endpoint.url!r} is no Docker host that can be used: give unix:///path/to/docker.sock or tcp://host:port "
        "(of a host behind ssh, forward the socket)"
    )


def _tls(folder: Path) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=folder / "ca.pem")
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    except (OSError, ssl.SSLError) as error:
        raise FailedPrecondition(f"the certificates for Docker in {folder} can't be used: {error}") from error
    return context


def _base_url(endpoint: Endpoint, connector: aiohttp.BaseConnector) -> str:
    if isinstance(connector, aiohttp.UnixConnector):
        return "unix://localhost"
    scheme, _, rest = endpoint.url.partition("://")
    return f"{'https' if endpoint.tls_folder or scheme == 'https' else 'http'}://{rest.rstrip('/')}"


def _agreed_version(version: Json) -> str:
    """Give the version to speak: ours, or the daemon's oldest where that is younger."""
    newest, oldest = _numbers(text_of(version, "ApiVersion")), _numbers(text_of(version, "MinAPIVersion"))
    if newest < _API_VERSION:
        raise FailedPrecondition(
            f"this Docker ({text_of(version, 'Version')}) is too old: Gofer needs API 1.41, Docker 20.10 or later"
        )
    return "v{}.{}".format(*max(_API_VERSION, oldest))


def _numbers(version: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _object(answer: object) -> Json:
    return answer if isinstance(answer, dict) else {}


# ------------------------------------------------------------ errors


@contextmanager
def _translating(request: _Request) -> Iterator[None]:
    try:
        yield
    except aiodocker.DockerError as error:
        raise _translated(error, request) from error
    except (aiohttp.ClientError, OSError, ValueError) as error:  # a timeout is an OSError, broken JSON a ValueError
        raise EngineUnavailable(f"the connection to Docker failed ({request}: {_words(error)})") from error


def _translated(error: aiodocker.DockerError, request: _Request) -> GoferError:
    text = _said(error)
    if error.status == _LOST:
        return EngineUnavailable(f"the connection to Docker failed ({request}: {_words(error.__context__ or error)})")
    if error.status == _MISSING and text.lower().startswith(_UNKNOWN):
        return NotFound(f"Docker: {text}")
    if error.status == _CONFLICT:
        return Conflict(f"Docker: {text}")
    if error.status > _INTERNAL or (error.status == _INTERNAL and not _is_refusal(text, request.at_500)):
        return EngineUnavailable(f"Docker: {text} ({request})")
    return FailedPrecondition(f"Docker: {text}", status=error.status)


def _said(error: aiodocker.DockerError) -> str:
    """Give the daemon's words; aiodocker leaves JSON as it is where its type comes with a character set."""
    try:
        return text_of(_object(json.loads(error.message)), "message") or error.message
    except ValueError:
        return error.message.strip()


def _is_refusal(text: str, at_500: At500) -> bool:
    match at_500:
        case At500.AT_A_LOSS:
            return False
        case At500.REFUSED:
            return _PASSING.search(text) is None
        case At500.ALWAYS_REFUSED:
            return True


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
