from gofer.app import App
from gofer_sdk._proto import proto


async def test_the_server_tells_what_it_is(app: App, stub: proto.GoferStub) -> None:
    info = await stub.get_system_info(proto.GetSystemInfoRequest())

    assert info.semver
    assert info.commit
    assert info.dev_mode
    assert info.scheduler_engine == "memory"
    assert info.instance_id == await app.database.read(lambda unit: unit.meta.instance_id())
