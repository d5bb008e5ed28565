"""What is said on the command line itself. Apart from the rest of the settings, which help does without."""

from dataclasses import dataclass, field
from enum import StrEnum


class OutputFormat(StrEnum):
    """How the commands print: for people, for programs, or not at all."""

    PRETTY = "pretty"
    JSON = "json"
    SILENT = "silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFlags:
    """What was said on the command line; None = nothing was."""

    config: str | None = None
    namespace: str | None = None
    detail: bool | None = None
    format: str | None = None
    host: str | None = None
    no_color: bool | None = None
    token: str | None = field(default=None, repr=False)
    tls_ca: str | None = None
