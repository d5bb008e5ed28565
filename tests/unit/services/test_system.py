from gofer.core.access import Caller
from gofer.core.ids import InstanceId
from gofer.services.system import System, SystemInfo


async def test_the_server_tells_what_it_is_and_what_holds_now(stranger: Caller) -> None:
    notes = ["the engine can't be reached"]
    info = SystemInfo(
        version="1.2.3",
        commit="abcdef",
        dev_mode=True,
        scheduler_engine="process",
        instance=InstanceId("0123456789ab"),
        notes=("tasks run without isolation",),
    )
    system = System(info=info, notes=lambda: tuple(notes))

    assert (await system.get_info(stranger)).notes == ("tasks run without isolation", "the engine can't be reached")

    notes.clear()
    assert await system.get_info(stranger) == info
