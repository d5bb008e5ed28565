"""Each method for secrets asks for what it was told to ask for, and gives what the server said."""

from gofer_sdk import proto
from gofer_sdk.client import GoferClient
from tests.fakes.server import FakeServer
from tests.unit.gofer_sdk.client.calls import Case, each_of, outcome

CALLS: list[Case] = [
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


@each_of(CALLS)
async def test_a_method_sends_its_request_and_gives_the_answer(
    server: FakeServer, client: GoferClient, case: Case
) -> None:
    assert case[-1] == await outcome(server, client, case)
