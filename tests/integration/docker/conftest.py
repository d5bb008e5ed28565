from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gofer.engines.scheduler.docker import DockerEngine
from tests.fakes.docker_cutter import DockerCutter, docker_socket
from tests.integration.docker.attempts import QUICK, Attempts, docker_engine


@pytest.fixture
def attempts() -> Attempts:
    return Attempts()


@pytest.fixture
async def engine(attempts: Attempts) -> AsyncIterator[DockerEngine]:
    async with docker_engine(attempts) as entered:
        yield entered


@pytest.fixture
async def cutter() -> AsyncIterator[DockerCutter]:
    async with DockerCutter.before(docker_socket()) as entered:
        yield entered


@pytest.fixture
async def cut_engine(cutter: DockerCutter, attempts: Attempts) -> AsyncIterator[DockerEngine]:
    """An engine behind the cutter."""
    async with docker_engine(attempts, replace(QUICK, host=cutter.url)) as entered:
        yield entered
