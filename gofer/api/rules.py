"""The one table that says for every RPC who may call it. An RPC without a row keeps the server from starting."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

HEALTH: Final = "/grpc.health.v1.Health/"
REFLECTION: Final = ("/grpc.reflection.v1.ServerReflection/", "/grpc.reflection.v1alpha.ServerReflection/")
API: Final = "/proto.Gofer/"


class Needs(StrEnum):
    """What a call has to come with."""

    NOTHING = "nothing"
    TOKEN = "any token"  # noqa: S105 (no token itself)
    NAMESPACE = "a token for the namespace"
    MANAGEMENT = "a management token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Who may call an RPC, and where its request says what it is about.

    `namespace` and `pipeline` are the fields that name them, with a dot for one within another; an empty `pipeline`
    says that the request names none. With `from_token` an empty namespace means the caller's own; without, the service
    decides, and shows only what the caller may see. `within` is the message that holds the fields, where they are
    not the request's own; a request without it names nothing.
    """

    needs: Needs
    namespace: str = "namespace_id"
    pipeline: str = ""
    within: str = ""
    from_token: bool = True


_OPEN: Final = Rule(needs=Needs.NOTHING)
_TOKEN: Final = Rule(needs=Needs.TOKEN)
_MANAGEMENT: Final = Rule(needs=Needs.MANAGEMENT)
_NAMESPACE: Final = Rule(needs=Needs.NAMESPACE)
_PIPELINE: Final = Rule(needs=Needs.NAMESPACE, pipeline="id")
_OF_PIPELINE: Final = Rule(needs=Needs.NAMESPACE, pipeline="pipeline_id")

_API: Final[Mapping[Rule, str]] = {
    # GetSystemInfo tells strangers less.
    _OPEN: "GetSystemInfo BootstrapToken",
    # What these give is filtered by what the token opens.
    _TOKEN: "GetToken WhoAmI ListNamespaces GetExtension ListExtensions RunPipelineConfigurator GetEvent",
    Rule(needs=Needs.NAMESPACE, pipeline="pipeline_id", from_token=False): "ListEvents",
    Rule(needs=Needs.NAMESPACE, namespace="namespace", from_token=False): "ListTokens",
    Rule(needs=Needs.NAMESPACE, namespace="id", from_token=False): "GetNamespace",
    _NAMESPACE: "ListPipelines",
    Rule(needs=Needs.NAMESPACE, pipeline="pipeline_config.id"): "RegisterPipelineConfig",
    _PIPELINE: "GetPipeline EnablePipeline DisablePipeline DeployPipeline DeletePipeline",
    _OF_PIPELINE: """
        ListPipelineConfigs GetPipelineConfig DeletePipelineConfig
        CreatePipelineExtensionSubscription ListPipelineExtensionSubscriptions GetPipelineExtensionSubscription
        EnablePipelineExtensionSubscription DisablePipelineExtensionSubscription DeletePipelineExtensionSubscription
        ListDeployments GetDeployment
        GetRun ListRuns StartRun RetryRun CancelRun CancelAllRuns
        GetTaskRun ListTaskRuns CancelTaskRun GetTaskRunLogs DeleteTaskRunLogs
        ListPipelineObjects GetPipelineObject PutPipelineObject DeletePipelineObject
        ListRunObjects GetRunObject PutRunObject DeleteRunObject
        GetPipelineSecret ListPipelineSecrets PutPipelineSecret DeletePipelineSecret
    """,
    Rule(needs=Needs.NAMESPACE, pipeline="pipeline_id", within="init"): "AttachToTaskRun",
    Rule(needs=Needs.NAMESPACE, pipeline="pipeline_id", within="object"): "UploadObject DownloadObject",
    _MANAGEMENT: """
        RepairOrphan ToggleEventIngress StopServer
        CreateToken EnableToken DisableToken DeleteToken
        CreateNamespace UpdateNamespace DeleteNamespace
        RunExtensionInstaller InstallExtension UninstallExtension EnableExtension DisableExtension
        GetGlobalSecret ListGlobalSecrets PutGlobalSecret DeleteGlobalSecret RotateKey
    """,
}


def _table() -> dict[str, Rule]:
    rows = {f"{HEALTH}{name}": _OPEN for name in ("Check", "Watch")}
    rows |= {f"{service}ServerReflectionInfo": _TOKEN for service in REFLECTION}
    for rule, names in _API.items():
        for name in names.split():
            if f"{API}{name}" in rows:
                raise ValueError(f"{name} has two rows")
            rows[f"{API}{name}"] = rule
    return rows


RULES: Final[Mapping[str, Rule]] = MappingProxyType(_table())
"""By the path of the RPC."""
