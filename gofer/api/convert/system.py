"""The server itself on the wire."""

import re
from datetime import datetime
from typing import Final

from gofer.api.convert.common import ms
from gofer.services.system import SystemInfo
from gofer_sdk._proto import proto

UNKNOWN_COMMIT: Final = "000000"
_PRE_RELEASE: Final = re.compile(r"(\d+\.\d+\.\d+)\.?(a|b|rc|dev)(\d+)")


def system_info_to_proto(info: SystemInfo, *, at: datetime) -> proto.GetSystemInfoResponse:
    """Give what the server is, at a time by its clock."""
    return proto.GetSystemInfoResponse(
        commit=info.commit or UNKNOWN_COMMIT,
        semver=semver_of(info.version),
        dev_mode=info.dev_mode,
        scheduler_engine=info.scheduler_engine,
        instance_id=info.instance,
        notes=list(info.notes),
        server_time=ms(at),
        ignore_pipeline_run_events=not info.takes_runs,
    )


def semver_of(version: str) -> str:
    """Write a version of ours, which is spelled as Python wants it, as Semantic Versioning has it: `1.0.0-dev.0`."""
    match = _PRE_RELEASE.fullmatch(version)
    return f"{match[1]}-{match[2]}.{match[3]}" if match else version
