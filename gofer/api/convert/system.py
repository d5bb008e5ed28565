"""The server itself on the wire."""

from typing import Final

from gofer.services.system import SystemInfo
from gofer_sdk._proto import proto

UNKNOWN_COMMIT: Final = "000000"


def system_info_to_proto(info: SystemInfo) -> proto.GetSystemInfoResponse:
    """Give what the server is."""
    return proto.GetSystemInfoResponse(
        commit=info.commit or UNKNOWN_COMMIT,
        semver=info.version,
        dev_mode=info.dev_mode,
        scheduler_engine=info.scheduler_engine,
        instance_id=info.instance,
        notes=list(info.notes),
    )
