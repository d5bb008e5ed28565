"""Who wants the server to stop and goes away has taken that back, whenever that is."""

import asyncio
from functools import partial

from gofer.bus import Bus
from gofer.core.access import Caller
from gofer.core.events import Envelope
from gofer.services.admission_gate import AdmissionGate
from gofer.services.stopping import Stopping
from gofer.sqlite import Database
from gofer.storage.unit import Unit

ADMIN = Caller(name="admin", is_admin=True)


async def test_a_drain_that_is_left_at_any_moment_either_stops_the_server_or_takes_runs_again(
    database: Database[Unit],
) -> None:
    """One that was left in its last moment, with no run to wait for, refused new runs for ever and stopped nothing."""
    bus: Bus[Envelope] = Bus()

    for turns in range(200):
        gate = AdmissionGate()
        stops: list[str] = []
        stopping = Stopping(database=database, bus=bus, gate=gate, stop=partial(stops.append, "stop"))
        asking = asyncio.create_task(ask(stopping))
        for _ in range(turns):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait({asking})

        assert gate.is_open is not bool(stops)


async def ask(stopping: Stopping) -> None:
    async for _ in stopping.run(ADMIN, drain=True, longest=None):
        pass
