"""gRPC's own health service, version 1, for load balancers and probes. It needs no token and says nothing else."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final

import betterproto2
from grpclib.const import Cardinality

from gofer.api.composite import Rpc
from gofer.core.errors import NotFound

KNOWN: Final = frozenset({"", "proto.Gofer", "grpc.health.v1.Health"})  # empty: the server as a whole
CHECK: Final = "/grpc.health.v1.Health/Check"
WATCH: Final = "/grpc.health.v1.Health/Watch"


class ServingStatus(betterproto2.Enum):
    """The contract's states."""

    UNKNOWN = 0
    SERVING = 1
    NOT_SERVING = 2
    SERVICE_UNKNOWN = 3


@dataclass(eq=False, repr=False)
class HealthCheckRequest(betterproto2.Message):
    """Which service is meant."""

    service: str = betterproto2.field(1, betterproto2.TYPE_STRING)


@dataclass(eq=False, repr=False)
class HealthCheckResponse(betterproto2.Message):
    """How it does."""

    status: ServingStatus = betterproto2.field(  # noqa: RUF009 - as above
        1, betterproto2.TYPE_ENUM, default_factory=lambda: ServingStatus(0)
    )


class Health:
    """The service `grpc.health.v1.Health`.

    What answers is serving: a server that stops refuses these calls like all others, by UNAVAILABLE.
    """

    def __init__(self) -> None:
        self.rpcs = (
            Rpc(
                path=CHECK,
                cardinality=Cardinality.UNARY_UNARY,
                request_type=HealthCheckRequest,
                reply_type=HealthCheckResponse,
                method=self.check,
            ),
            Rpc(
                path=WATCH,
                cardinality=Cardinality.UNARY_STREAM,
                request_type=HealthCheckRequest,
                reply_type=HealthCheckResponse,
                method=self.watch,
            ),
        )

    async def check(self, message: HealthCheckRequest) -> HealthCheckResponse:
        """Tell how a service does now. `NotFound` for one that is not here."""
        if message.service not in KNOWN:
            raise NotFound(f"there is no service {message.service!r} here", service=message.service)
        return HealthCheckResponse(status=ServingStatus.SERVING)

    async def watch(self, message: HealthCheckRequest) -> AsyncGenerator[HealthCheckResponse, None]:
        """Tell how a service does, now and at each change; the end of the server ends the stream."""
        known = message.service in KNOWN
        yield HealthCheckResponse(status=ServingStatus.SERVING if known else ServingStatus.SERVICE_UNKNOWN)
        await asyncio.Event().wait()
