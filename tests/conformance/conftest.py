from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from tests.conformance.cases import Case, EngineUnderTest, under_test
from tests.conformance.docker_case import DockerCase
from tests.conformance.given import GIVEN, engines, given, given_case, is_of_given
from tests.conformance.memory_case import MemoryCase
from tests.conformance.process_case import ProcessCase


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if given() is None:
        return
    others = [item for item in items if not is_of_given(item)]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if is_of_given(item)]


@pytest.fixture(params=engines("scheduler", "memory", "process", pytest.param("docker", marks=pytest.mark.docker)))
def engine_case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    match request.param:
        case "memory":
            return MemoryCase()
        case "process":
            return ProcessCase(tmp_path / "process")
        case "docker":
            return DockerCase()
        case _:
            assert request.param == GIVEN
            return cast("Case", given_case(tmp_path))


@pytest.fixture
async def tested(engine_case: Case) -> AsyncIterator[EngineUnderTest]:
    async with under_test(engine_case) as entered:
        yield entered
