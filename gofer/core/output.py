"""What containers write, as values: chunks of a stream, and how much of it somebody already has."""

from dataclasses import dataclass
from enum import StrEnum


class LogStream(StrEnum):
    """Which stream a chunk of output came from; STDOUT for all where the engine can't tell."""

    STDOUT = "stdout"
    STDERR = "stderr"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogChunk:
    """Bytes as the container wrote them, in arrival order."""

    stream: LogStream
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LogCursor:
    """How many raw bytes of each stream the caller already has."""

    stdout_bytes: int = 0
    stderr_bytes: int = 0

    def after(self, stream: LogStream, size_bytes: int) -> "LogCursor":
        """Give the cursor that stands that many bytes further in one stream."""
        if stream is LogStream.STDOUT:
            return LogCursor(stdout_bytes=self.stdout_bytes + size_bytes, stderr_bytes=self.stderr_bytes)
        return LogCursor(stdout_bytes=self.stdout_bytes, stderr_bytes=self.stderr_bytes + size_bytes)
