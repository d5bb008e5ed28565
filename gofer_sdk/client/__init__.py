"""Talk to a Gofer server from Python.

    async with GoferClient("gofer.example.com", token=token) as client:
        started = await client.runs.start("nightly", variables={"DAY": "monday"})
        run = await client.runs.wait("nightly", started.run.id)

One method for each call of the API, under the noun that it is about. Answers are the generated messages of
`gofer_sdk.proto`; errors are those of `gofer_sdk.errors`. Calls that change nothing the second time are made again
where the server was unavailable, and so is the start of a run; logs and events that are followed go on through a
restart of the server.
A stream that is left early is best closed at once:

    async with aclosing(client.task_runs.logs("nightly", 7, "build")) as chunks:
        async for chunk in chunks:
            ...
"""

from pathlib import Path
from types import TracebackType
from typing import Self

from gofer_sdk.client.address import ServerAddress
from gofer_sdk.client.attachment import Attachment, TerminalWish, Window
from gofer_sdk.client.calls import Calls
from gofer_sdk.client.connection import Connection
from gofer_sdk.client.events import EventCalls, EventFilter
from gofer_sdk.client.namespaces import NamespaceCalls
from gofer_sdk.client.object_files import Content
from gofer_sdk.client.objects import Download, ObjectCalls, ObjectList
from gofer_sdk.client.page import Page
from gofer_sdk.client.patience import OnRetry, Patience
from gofer_sdk.client.pipelines import PipelineCalls, StoredPipeline
from gofer_sdk.client.runs import RunCalls, StartedRun
from gofer_sdk.client.secrets import GlobalSecretCalls, SecretCalls
from gofer_sdk.client.system import SystemCalls
from gofer_sdk.client.task_runs import LogChunk, Tail, TaskRunCalls
from gofer_sdk.client.token import Token
from gofer_sdk.client.tokens import NewToken, TokenCalls

__all__ = [
    "Attachment",
    "Content",
    "Download",
    "EventFilter",
    "GoferClient",
    "LogChunk",
    "NewToken",
    "ObjectList",
    "OnRetry",
    "Page",
    "Patience",
    "ServerAddress",
    "StartedRun",
    "StoredPipeline",
    "Tail",
    "TerminalWish",
    "Token",
    "Window",
]

DEFAULT_HOST = "localhost:8080"


class GoferClient:
    """The API of one server; open from `async with` to its end, on one event loop.

    Attributes:
        system: the server itself.
        namespaces: the folders that pipelines live in.
        pipelines: pipelines, their versions and deployments.
        runs: executions of pipelines.
        task_runs: executions of tasks, and their logs.
        secrets: what only tasks of a pipeline should see.
        global_secrets: the same for pipelines of several namespaces.
        objects: what tasks keep for later tasks and later runs.
        events: what has happened and what happens.
        tokens: what opens the API.

    """

    def __init__(
        self,
        host: str = DEFAULT_HOST,
        *,
        token: str | Token | None = None,
        namespace: str = "",
        tls_ca: str | Path | None = None,
        patience: Patience | None = None,
        on_retry: OnRetry | None = None,
    ) -> None:
        """Keep how to reach a server; nothing is sent yet.

        Args:
            host: `host:port`; without a port it is 443.
            token: opens the API; a server in development mode wants none on this machine.
            namespace: of calls that name none; empty leaves it to the server.
            tls_ca: what the server's certificate must verify against: a file in PEM, or the PEM text itself. None means
                the authorities that this machine trusts. On localhost, 127.0.0.1 and ::1 nothing is verified.
            patience: how long to wait and how often to try again.
            on_retry: told of each failure that is not the last word; must return at once.

        Raises:
            ValueError: host or token can't be one.

        """
        token = Token(token) if isinstance(token, str) else token
        self._connection = Connection(address=ServerAddress.parse(host), token=token, tls_ca=tls_ca)
        calls = Calls(
            connection=self._connection, namespace=namespace, patience=patience or Patience(), on_retry=on_retry
        )
        self.system = SystemCalls(calls)
        self.events = EventCalls(calls)
        self.namespaces = NamespaceCalls(calls, self.events)
        self.pipelines = PipelineCalls(calls, self.events)
        self.runs = RunCalls(calls, self.events)
        self.task_runs = TaskRunCalls(calls)
        self.tokens = TokenCalls(calls)
        self.secrets = SecretCalls(calls)
        self.global_secrets = GlobalSecretCalls(calls)
        self.objects = ObjectCalls(calls)

    async def __aenter__(self) -> Self:
        await self._connection.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._connection.close()

    def __repr__(self) -> str:
        return f"GoferClient(host='{self._connection.address}')"
