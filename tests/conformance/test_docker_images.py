"""Images: looked up, pulled, shared, refused in words. Against a registry of the tests' own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from gofer.config.settings import DockerSettings
from gofer.core.errors import EngineUnavailable, FailedPrecondition, InvalidInput, NotFound
from gofer.engines.protocols import ImageSpec, PullPolicy, PullProgress, RegistryCredentials
from gofer.engines.scheduler.docker import DockerEngine, create
from tests.conformance.docker_case import TEST_IMAGE
from tests.conformance.docker_registry import Registry
from tests.fakes.docker_cutter import DockerCutter, docker_socket
from tests.integration.docker.attempts import raw_docker

pytestmark = pytest.mark.docker

LOGIN = ("ada", "love:lace ü")
RIGHT = RegistryCredentials(user=LOGIN[0], password=LOGIN[1])
WRONG = RegistryCredentials(user="ada", password="guess")
MEGABYTE = 1_000_000


def ignored(_: PullProgress) -> None:
    """Hear nothing."""


@pytest.fixture
async def engine() -> AsyncIterator[DockerEngine]:
    async with create(DockerSettings(network="none")) as entered:
        yield entered


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    async with Registry.serving() as entered:
        yield entered
        await forget(entered)


@pytest.fixture
async def closed_registry() -> AsyncIterator[Registry]:
    """A registry that asks for a login."""
    async with Registry.serving(login=LOGIN) as entered:
        yield entered
        await forget(entered)


async def forget(registry: Registry) -> None:
    """Remove the registry's image from the daemon."""
    async with raw_docker() as docker:
        for name in (registry.image, f"{registry.address}/app@{registry.digest}"):
            with suppress(NotFound):
                await docker.delete(f"images/{name}", force="1")


async def is_here(image: str) -> bool:
    async with raw_docker() as docker:
        try:
            await docker.get(f"images/{image}/json")
        except NotFound:
            return False
        return True


async def test_an_image_that_is_here_is_not_pulled(engine: DockerEngine) -> None:
    told: list[PullProgress] = []

    await engine.ensure_image(ImageSpec(name=TEST_IMAGE), progress=told.append)

    assert told == []


async def test_an_image_that_is_missing_is_pulled_with_its_progress(engine: DockerEngine) -> None:
    told: list[PullProgress] = []
    async with Registry.serving(size_bytes=3 * MEGABYTE) as registry:
        await engine.ensure_image(ImageSpec(name=registry.image), progress=told.append)
        here = await is_here(registry.image)
        await forget(registry)

    assert here
    assert {each.image for each in told} == {registry.image}
    assert max(each.total_bytes for each in told) > 3 * MEGABYTE
    assert told[-1].current_bytes == told[-1].total_bytes
    assert [each.current_bytes for each in told] == sorted(each.current_bytes for each in told)


async def test_an_image_can_be_named_by_its_digest(engine: DockerEngine, registry: Registry) -> None:
    name = f"{registry.address}/app@{registry.digest}"

    await engine.ensure_image(ImageSpec(name=name), progress=ignored)

    assert await is_here(name)


async def test_a_second_look_pulls_nothing(engine: DockerEngine, registry: Registry) -> None:
    for _ in range(2):
        await engine.ensure_image(ImageSpec(name=registry.image), progress=ignored)

    assert (registry.manifests, registry.layers) == (1, 1)


async def test_the_policy_always_asks_the_registry_each_time(engine: DockerEngine, registry: Registry) -> None:
    for _ in range(2):
        await engine.ensure_image(ImageSpec(name=registry.image, policy=PullPolicy.ALWAYS), progress=ignored)

    assert (registry.asked > 2, registry.layers) == (True, 1)


async def test_the_policy_never_asks_no_registry(engine: DockerEngine, registry: Registry) -> None:
    with pytest.raises(NotFound, match="never to be pulled"):
        await engine.ensure_image(ImageSpec(name=registry.image, policy=PullPolicy.NEVER), progress=ignored)

    assert registry.asked == 0


async def test_callers_at_the_same_time_share_one_pull(engine: DockerEngine, registry: Registry) -> None:
    told: list[list[PullProgress]] = [[] for _ in range(5)]

    await asyncio.gather(*(engine.ensure_image(ImageSpec(name=registry.image), progress=each.append) for each in told))

    assert (registry.manifests, registry.layers) == (1, 1)
    assert all(told)


@pytest.mark.parametrize("leaver", [0, 2], ids=["who-leads", "who-waits"])
async def test_a_caller_that_leaves_does_not_end_the_pull_of_the_others(
    engine: DockerEngine, registry: Registry, leaver: int
) -> None:
    begun = asyncio.Event()

    async with asyncio.TaskGroup() as group:
        callers = [
            group.create_task(engine.ensure_image(ImageSpec(name=registry.image), progress=lambda _: begun.set()))
            for _ in range(3)
        ]
        await begun.wait()
        callers[leaver].cancel()

    assert [caller.cancelled() for caller in callers].count(True) <= 1
    assert await is_here(registry.image)


async def test_everybody_hears_why_a_shared_pull_failed(engine: DockerEngine, registry: Registry) -> None:
    missing = ImageSpec(name=f"{registry.address}/app:2")

    outcomes = await asyncio.gather(
        *(engine.ensure_image(missing, progress=ignored) for _ in range(3)), return_exceptions=True
    )

    assert all(isinstance(outcome, NotFound) and missing.name in outcome.message for outcome in outcomes)


@pytest.mark.parametrize("name", ["app:2", "nobody/app:1"])
async def test_an_image_that_its_registry_does_not_have_is_not_found(
    engine: DockerEngine, registry: Registry, name: str
) -> None:
    image = f"{registry.address}/{name}"

    with pytest.raises(NotFound, match=f"there is no image {image}"):
        await engine.ensure_image(ImageSpec(name=image), progress=ignored)


async def test_a_registry_with_a_login_gives_the_image_to_who_has_it(
    engine: DockerEngine, closed_registry: Registry
) -> None:
    await engine.ensure_image(ImageSpec(name=closed_registry.image, credentials=RIGHT), progress=ignored)

    assert await is_here(closed_registry.image)


async def test_missing_and_wrong_credentials_are_told_apart(engine: DockerEngine, closed_registry: Registry) -> None:
    spec = ImageSpec(name=closed_registry.image)

    with pytest.raises(FailedPrecondition, match="asks for credentials, and the task has none"):
        await engine.ensure_image(spec, progress=ignored)
    with pytest.raises(FailedPrecondition, match="refused the credentials of the user 'ada'") as refused:
        await engine.ensure_image(replace(spec, credentials=WRONG), progress=ignored)

    assert WRONG.password not in refused.value.message


async def test_wrong_credentials_beside_right_ones_spoil_nothing(
    engine: DockerEngine, closed_registry: Registry
) -> None:
    spec = ImageSpec(name=closed_registry.image, policy=PullPolicy.ALWAYS)

    outcomes = await asyncio.gather(
        *(
            engine.ensure_image(replace(spec, credentials=credentials), progress=ignored)
            for credentials in (WRONG, RIGHT, None, RIGHT)
        ),
        return_exceptions=True,
    )

    assert [type(outcome) for outcome in outcomes] == [
        FailedPrecondition,
        type(None),
        FailedPrecondition,
        type(None),
    ]


async def test_a_registry_that_is_not_there_is_told_in_words(engine: DockerEngine) -> None:
    async with Registry.serving() as registry:
        image = registry.image

    with pytest.raises(FailedPrecondition, match=r"its registry can't be reached .*connection refused"):
        await engine.ensure_image(ImageSpec(name=image), progress=ignored)


async def test_a_pull_that_takes_too_long_is_ended(registry: Registry) -> None:
    registry.breaks_off = True  # the daemon tries again and again, later each time
    settings = DockerSettings(network="none", pull_timeout=timedelta(seconds=1))

    async with create(settings) as engine:
        with pytest.raises(FailedPrecondition, match=r"took longer than 0:00:01 .*pull_timeout"):
            await engine.ensure_image(ImageSpec(name=registry.image), progress=ignored)


async def test_a_pull_whose_connection_to_docker_breaks_can_be_tried_again(registry: Registry) -> None:
    async with DockerCutter.before(docker_socket()) as cutter, create(DockerSettings(host=cutter.url)) as engine:
        cutter.cut_answer("POST images/create", after_bytes=300)

        with pytest.raises(EngineUnavailable):
            await engine.ensure_image(ImageSpec(name=registry.image), progress=ignored)
        await engine.ensure_image(ImageSpec(name=registry.image), progress=ignored)

    assert await is_here(registry.image)


async def test_what_is_no_image_is_refused_unasked(engine: DockerEngine) -> None:
    with pytest.raises(InvalidInput, match="is no image"):
        await engine.ensure_image(ImageSpec(name="../containers/json?all=1"), progress=ignored)
