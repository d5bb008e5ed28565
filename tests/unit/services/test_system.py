from gofer.core.access import Caller
from gofer.core.ids import InstanceId
from gofer.services.ingress import Ingress
from gofer.services.system import System, SystemInfo


async def test_the_server_tells_what_it_is_and_what_holds_now(caller: Caller) -> None:
    notes = ["the engine can't be reached"]
    info = SystemInfo(
        version="1.2.3",
        commit="abcdef",
        dev_mode=True,
        scheduler_engine="process",
        instance=InstanceId("0123456789ab"),
        notes=("tasks run without isolation",),
    )
    system = System(info=info, ingress=Ingress(is_open=True), notes=lambda: tuple(notes))

    assert (await system.get_info(caller)).notes == ("tasks run without isolation", "the engine can't be reached")

    notes.clear()
    assert await system.get_info(caller) == info


async def test_what_may_name_runs_is_told_to_admins_only(caller: Caller, stranger: Caller) -> None:
    info = SystemInfo(
        version="1.2.3", commit="", dev_mode=False, scheduler_engine="docker", instance=InstanceId("0123456789ab")
    )
    notes = ("the task run secret_one/simple/1/x waits",)
    system = System(info=info, ingress=Ingress(is_open=True), notes=lambda: notes)

    assert notes == (await system.get_info(caller)).notes
    assert () == (await system.get_info(stranger)).notes
