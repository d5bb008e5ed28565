from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conformance.cases import Case, EngineUnderTest, under_test
from tests.conformance.docker_case import DockerCase
from tests.conformance.memory_case import MemoryCase
from tests.conformance.process_case import ProcessCase


@pytest.fixture(params=["memory", "process", pytest.param("docker", marks=pytest.mark.docker)])
def engine_case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    if request.param == "memory":
        return MemoryCase()
    if request.param == "process":
        return ProcessCase(tmp_path / "process")
    return DockerCase()


@pytest.fixture
async def tested(engine_case: Case) -> AsyncIterator[EngineUnderTest]:
    async with under_test(engine_case) as entered:
        yield entered
