import sqlite3
from dataclasses import replace
from datetime import timedelta

import pytest

from gofer.core.errors import NotFound
from gofer.core.ids import DeploymentId, NamespaceId, Version
from gofer.core.pipeline import ConfigState, DeploymentState, LiveVersion, PipelineState, RegistryAuth
from gofer.core.run import RunState
from gofer.storage.page import Page
from gofer.storage.unit import Unit
from tests.factories import (
    KEY,
    NAMESPACE,
    NOW,
    make_config,
    make_deployment,
    make_namespace,
    make_pipeline,
    make_run,
    make_task,
    make_tasks,
)

LATER = NOW + timedelta(minutes=1)


def versions(unit: Unit) -> list[int]:
    return [config.version for config in unit.pipelines.list_configs(KEY, Page()).items]


def test_a_pipeline_comes_back_as_it_was_stored(filled: Unit) -> None:
    assert filled.pipelines.get(KEY) == make_pipeline()
    assert filled.pipelines.find(KEY) == make_pipeline()


def test_an_unknown_pipeline_is_named_together_with_the_fix(unit: Unit) -> None:
    with pytest.raises(NotFound, match=r"no pipeline 'simple' in namespace 'default'.*`gofer up`") as refused:
        unit.pipelines.get(KEY)

    assert refused.value.details == {"namespace": "default", "pipeline": "simple"}
    assert unit.pipelines.find(KEY) is None


def test_an_update_changes_state_and_time_of_change(filled: Unit) -> None:
    changed = make_pipeline(state=PipelineState.DISABLED, modified_at=LATER)

    filled.pipelines.update(replace(changed, created_at=LATER))

    assert filled.pipelines.get(KEY) == changed


def test_an_unknown_pipeline_is_not_updated(unit: Unit) -> None:
    with pytest.raises(NotFound):
        unit.pipelines.update(make_pipeline())


def test_a_pipeline_needs_its_namespace(unit: Unit) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        unit.pipelines.insert(make_pipeline())


def test_pipelines_of_one_namespace_are_listed_by_id_descending(unit: Unit) -> None:
    unit.namespaces.insert(make_namespace())
    unit.namespaces.insert(make_namespace("other"))
    for name in ("aaa", "bbb", "ccc"):
        unit.pipelines.insert(make_pipeline(name))
    unit.pipelines.insert(make_pipeline("ddd", namespace=NamespaceId("other")))

    first = unit.pipelines.list(NAMESPACE, Page(limit=2))
    second = unit.pipelines.list(NAMESPACE, Page(limit=2, cursor=first.next_cursor))

    assert [found.id for found in first.items] == ["ccc", "bbb"]
    assert [found.id for found in second.items] == ["aaa"]
    assert [found.id for found in unit.pipelines.list(NAMESPACE, Page(offset=2)).items] == ["aaa"]


def test_a_config_comes_back_with_its_tasks_in_their_order(filled: Unit) -> None:
    auth = RegistryAuth(user="me", sealed_password=b"\x00sealed")
    tasks = (*make_tasks({"zzz": [], "aaa": ["zzz"]}), make_task("private", registry_auth=auth))
    config = make_config(2, tasks=tasks, parallelism=3, description="words")

    filled.pipelines.insert_config(config)

    assert filled.pipelines.get_config(KEY, Version(2)) == config
    assert filled.pipelines.get_parallelism(KEY, Version(2)) == 3


def test_an_unknown_version_and_an_unknown_pipeline_are_told_apart(filled: Unit) -> None:
    with pytest.raises(NotFound, match=r"default/simple has no version 9.*`gofer pipeline config list simple`"):
        filled.pipelines.get_config(KEY, Version(9))
    with pytest.raises(NotFound, match="there is no pipeline 'nothing'"):
        filled.pipelines.get_parallelism(make_pipeline("nothing").key, Version(1))
    assert filled.pipelines.find_config(KEY, Version(9)) is None


def test_the_live_config_is_found(filled: Unit) -> None:
    filled.pipelines.insert_config(make_config(2))

    assert filled.pipelines.find_live_config(KEY) == make_config(state=ConfigState.LIVE)
    assert filled.pipelines.find_live_config(make_pipeline("nothing").key) is None


def test_what_a_new_run_takes_from_the_live_version_is_found(filled: Unit) -> None:
    timed = make_config(2, parallelism=3, run_timeout=timedelta(minutes=1))
    filled.pipelines.update_config_state(KEY, Version(1), ConfigState.DEPRECATED, LATER)
    filled.pipelines.insert_config(replace(timed, state=ConfigState.LIVE))

    live = LiveVersion(version=Version(2), parallelism=3, run_timeout=timedelta(minutes=1), tasks=timed.tasks)
    assert filled.pipelines.find_live_version(KEY) == live
    assert filled.pipelines.find_live_version(make_pipeline("nothing").key) is None


@pytest.mark.parametrize("tasks", ["[", f"[{' ' * 64 * 1024}]"])
def test_tasks_that_cant_be_read_at_once_are_left_to_others(filled: Unit, tasks: str) -> None:
    filled.pipelines._connection.execute("UPDATE pipeline_configs SET tasks = ?", (tasks,))  # noqa: SLF001

    live = filled.pipelines.find_live_version(KEY)

    assert live is not None
    assert (live.version, live.tasks) == (Version(1), None)


def test_a_config_changes_its_state_alone(filled: Unit) -> None:
    filled.pipelines.update_config_state(KEY, Version(1), ConfigState.DEPRECATED, LATER)

    assert filled.pipelines.get_config(KEY, Version(1)) == make_config(
        state=ConfigState.DEPRECATED, deprecated_at=LATER
    )
    with pytest.raises(NotFound, match="no version 9"):
        filled.pipelines.update_config_state(KEY, Version(9), ConfigState.LIVE, None)


def test_two_versions_are_never_live_at_once(filled: Unit) -> None:
    filled.pipelines.insert_config(make_config(2))

    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        filled.pipelines.update_config_state(KEY, Version(2), ConfigState.LIVE, None)


def test_configs_are_listed_newest_first(filled: Unit) -> None:
    for version in (2, 3):
        filled.pipelines.insert_config(make_config(version))

    first = filled.pipelines.list_configs(KEY, Page(limit=2))
    second = filled.pipelines.list_configs(KEY, Page(limit=2, cursor=first.next_cursor))

    assert [found.version for found in first.items] == [3, 2]
    assert [found.version for found in second.items] == [1]


def test_version_numbers_are_not_used_again_after_a_deletion(filled: Unit) -> None:
    for version in (2, 3):
        filled.pipelines.insert_config(make_config(version))

    pruned = filled.pipelines.prune_configs(KEY, keep=1, spare=Version(0), most=9)

    assert pruned == (2, 3)
    assert filled.pipelines.last_version(KEY) == 3
    assert filled.pipelines.last_version(make_pipeline("nothing").key) == 0


def test_the_oldest_versions_go_first(unit: Unit) -> None:
    unit.namespaces.insert(make_namespace())
    unit.pipelines.insert(make_pipeline())
    for version in range(1, 6):
        unit.pipelines.insert_config(make_config(version))

    pruned = unit.pipelines.prune_configs(KEY, keep=3, spare=Version(5), most=9)

    assert pruned == (1, 2)
    assert versions(unit) == [5, 4, 3]


def test_versions_that_are_live_or_spared_or_have_runs_are_not_pruned(filled: Unit) -> None:
    for version in range(2, 6):
        filled.pipelines.insert_config(make_config(version))
    filled.runs.insert_run(make_run(version=Version(2), state=RunState.SUCCEEDED))

    pruned = filled.pipelines.prune_configs(KEY, keep=2, spare=Version(5), most=9)

    assert pruned == (3, 4)
    assert versions(filled) == [5, 2, 1]


def test_nothing_is_pruned_below_the_limit(filled: Unit) -> None:
    assert filled.pipelines.prune_configs(KEY, keep=5, spare=Version(0), most=9) == ()


def test_a_deployment_comes_back_as_it_was_stored_and_changed(filled: Unit) -> None:
    running = make_deployment(state=DeploymentState.RUNNING, ended_at=None)
    filled.pipelines.insert_deployment(running)
    assert filled.pipelines.get_deployment(KEY, DeploymentId(1)) == running
    assert filled.pipelines.running_deployment(KEY) == running
    assert filled.pipelines.running_deployments() == [running]

    ended = replace(running, state=DeploymentState.FAILED, reason="words", ended_at=LATER)
    filled.pipelines.update_deployment(ended)

    assert filled.pipelines.get_deployment(KEY, DeploymentId(1)) == ended
    assert filled.pipelines.running_deployment(KEY) is None
    assert filled.pipelines.last_deployment_id(KEY) == 1


def test_a_second_deployment_under_way_is_refused(filled: Unit) -> None:
    filled.pipelines.insert_deployment(make_deployment(1, state=DeploymentState.RUNNING))

    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        filled.pipelines.insert_deployment(make_deployment(2, state=DeploymentState.RUNNING))


def test_an_unknown_deployment_is_named_together_with_the_fix(filled: Unit) -> None:
    with pytest.raises(NotFound, match=r"no deployment 7; `gofer pipeline deployment list simple`"):
        filled.pipelines.get_deployment(KEY, DeploymentId(7))
    with pytest.raises(NotFound):
        filled.pipelines.update_deployment(make_deployment(7))


def test_deployments_are_listed_newest_first(filled: Unit) -> None:
    for number in (1, 2, 3):
        filled.pipelines.insert_deployment(make_deployment(number))

    first = filled.pipelines.list_deployments(KEY, Page(limit=2))
    second = filled.pipelines.list_deployments(KEY, Page(limit=2, cursor=first.next_cursor))

    assert [found.id for found in first.items] == [3, 2]
    assert [found.id for found in second.items] == [1]
