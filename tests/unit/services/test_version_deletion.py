"""Versions of a pipeline that are deleted by somebody."""

import pytest

from gofer.core.access import Caller
from gofer.core.errors import FailedPrecondition, InvalidInput, NotFound, PermissionDenied
from gofer.core.events import PipelineConfigDeleted
from gofer.core.ids import Version
from gofer.core.run import RunState
from gofer.sealing import Sealer, SealingKey
from gofer.services.namespaces import Namespaces
from gofer.services.pipelines import Pipelines
from gofer.services.runs import Target
from gofer.sqlite import Database
from gofer.storage.page import Page
from gofer.storage.unit import Unit
from gofer_sdk.rules.config import ConfigDraft, TaskDraft
from tests.factories import NAMESPACE, PIPELINE, make_run
from tests.unit.services.journal import events_of

TARGET = Target(namespace="", pipeline="simple")
UNKNOWN = Target(namespace="", pipeline="nothing")
SIMPLE = ConfigDraft(id="simple", name="Simple", tasks=(TaskDraft(id="hello", image="busybox:latest"),))


@pytest.fixture
async def pipelines(database: Database[Unit]) -> Pipelines:
    await Namespaces(database=database).ensure_default()
    return Pipelines(database=database, sealer=Sealer(SealingKey(b"k" * 32)), version_limit=0)


async def test_a_version_that_nobody_needs_is_deleted_and_its_number_not_given_again(
    pipelines: Pipelines, caller: Caller, database: Database[Unit]
) -> None:
    for _ in range(3):
        await pipelines.register(caller, "", SIMPLE)
    await pipelines.deploy(caller, TARGET, 1)

    await pipelines.delete_config(caller, TARGET, 3)

    assert (await events_of(database))[-1] == PipelineConfigDeleted(
        namespace_id=NAMESPACE, pipeline_id=PIPELINE, version=Version(3)
    )
    with pytest.raises(NotFound):
        await pipelines.get_config(caller, TARGET, 3)
    with pytest.raises(NotFound):
        await pipelines.delete_config(caller, TARGET, 3)
    assert (await pipelines.register(caller, "", SIMPLE)).config.version == 4


async def test_a_version_that_is_needed_is_not_deleted(
    pipelines: Pipelines, caller: Caller, stranger: Caller, database: Database[Unit]
) -> None:
    await pipelines.register(caller, "", SIMPLE)
    with pytest.raises(FailedPrecondition, match="the only one"):
        await pipelines.delete_config(caller, TARGET, 1)
    for _ in range(2):
        await pipelines.register(caller, "", SIMPLE)
    await pipelines.deploy(caller, TARGET, 2)
    await database.write(lambda unit: unit.runs.insert_run(make_run(version=Version(3), state=RunState.SUCCEEDED)))
    before = await events_of(database)

    with pytest.raises(FailedPrecondition, match="is the live one"):
        await pipelines.delete_config(caller, TARGET, 2)
    with pytest.raises(FailedPrecondition, match="stored runs were made from it"):
        await pipelines.delete_config(caller, TARGET, 3)
    with pytest.raises(InvalidInput):
        await pipelines.delete_config(caller, TARGET, 0)
    with pytest.raises(NotFound):
        await pipelines.delete_config(caller, UNKNOWN, 1)
    with pytest.raises(PermissionDenied):
        await pipelines.delete_config(stranger, TARGET, 1)

    assert before == await events_of(database)
    assert len((await pipelines.list_configs(caller, TARGET, Page())).items) == 3
