"""Each method for secrets asks for what it was told to ask for, and gives what the server said."""

from collections.abc import Awaitable, Callable

import betterproto2
import pytest

from gofer_sdk import proto
from gofer_sdk.client import GoferClient
from tests.fakes.server import FakeServer

Call = Callable[[GoferClient], Awaitable[object]]

CALLS: list[tuple[Call, betterproto2.Message, betterproto2.Message, object]] = [
    (
        lambda client: client.secrets.put("nightly", "db", "hunter22", force=True, namespace="team"),
        proto.PutPipelineSecretRequest(
            namespace_id="team", pipeline_id="nightly", key="db", content="hunter22", force=True
        ),
        proto.PutPipelineSecretResponse(bytes=8, warning="w"),
        proto.PutPipelineSecretResponse(bytes=8, warning="w"),
    ),
    (
        lambda client: client.secrets.get("nightly", "db", with_value=True, namespace="team"),
        proto.GetPipelineSecretRequest(namespace_id="team", pipeline_id="nightly", key="db", include_secret=True),
        proto.GetPipelineSecretResponse(metadata=proto.SecretStoreKey(key="db"), secret="hunter22"),
        proto.GetPipelineSecretResponse(metadata=proto.SecretStoreKey(key="db"), secret="hunter22"),
    ),
    (
        lambda client: client.secrets.list("nightly", namespace="team"),
        proto.ListPipelineSecretsRequest(namespace_id="team", pipeline_id="nightly"),
        proto.ListPipelineSecretsResponse(keys=[proto.SecretStoreKey(key="db")]),
        (proto.SecretStoreKey(key="db"),),
    ),
    (
        lambda client: client.secrets.delete("nightly", "db", namespace="team"),
        proto.DeletePipelineSecretRequest(namespace_id="team", pipeline_id="nightly", key="db"),
        proto.DeletePipelineSecretResponse(),
        None,
    ),
    (
        lambda client: client.global_secrets.put("db", "hunter22", namespaces=["team_*"], force=True),
        proto.PutGlobalSecretRequest(key="db", content="hunter22", namespaces=["team_*"], force=True),
        proto.PutGlobalSecretResponse(bytes=8),
        proto.PutGlobalSecretResponse(bytes=8),
    ),
    (
        lambda client: client.global_secrets.get("db"),
        proto.GetGlobalSecretRequest(key="db"),
        proto.GetGlobalSecretResponse(metadata=proto.SecretStoreKey(key="db")),
        proto.GetGlobalSecretResponse(metadata=proto.SecretStoreKey(key="db")),
    ),
    (
        lambda client: client.global_secrets.list(),
        proto.ListGlobalSecretsRequest(),
        proto.ListGlobalSecretsResponse(keys=[proto.SecretStoreKey(key="db")]),
        (proto.SecretStoreKey(key="db"),),
    ),
    (
        lambda client: client.global_secrets.delete("db"),
        proto.DeleteGlobalSecretRequest(key="db"),
        proto.DeleteGlobalSecretResponse(),
        None,
    ),
]


@pytest.mark.parametrize(
    ("call", "request_", "reply", "result"), CALLS, ids=[type(entry[1]).__name__ for entry in CALLS]
)
async def test_a_method_sends_its_request_and_gives_the_answer(
    server: FakeServer,
    client: GoferClient,
    call: Call,
    request_: betterproto2.Message,
    reply: betterproto2.Message,
    result: object,
) -> None:
    server.answer(type(request_).__name__.removesuffix("Request"), reply)

    given = await call(client)

    assert given == result
    assert server.requests == [request_]
