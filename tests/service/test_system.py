import pytest

from gofer.app import App, running_app
from gofer.config.settings import Settings
from gofer.core.errors import FailedPrecondition
from gofer_sdk._proto import proto


async def test_the_server_tells_what_it_is(app: App, stub: proto.GoferStub) -> None:
    info = await stub.get_system_info(proto.GetSystemInfoRequest())

    assert info.semver
    assert info.commit
    assert info.dev_mode
    assert info.scheduler_engine == "memory"
    assert info.instance_id == await app.database.read(lambda unit: unit.meta.instance_id())


async def test_a_server_does_not_start_with_a_folder_of_logs_that_is_not_its_own(settings: Settings) -> None:
    """Each task would have found out by itself, and failed."""
    settings.data_folder.mkdir(mode=0o700)
    settings.task_run_logs_dir.symlink_to("elsewhere")

    with pytest.raises(FailedPrecondition, match="symbolic link"):
        async with running_app(settings):
            pass
