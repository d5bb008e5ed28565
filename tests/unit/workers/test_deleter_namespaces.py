"""Namespaces that are deleted, with what names them."""

import pytest

from gofer.core.access import NamespacePattern, Token, TokenId, TokenKind
from gofer.core.errors import FailedPrecondition, NotFound, PermissionDenied
from gofer.core.secret import Secret
from gofer.sealing import hash_token
from gofer.services.global_secrets import GlobalSecrets
from gofer.services.namespaces import NamespaceDraft, Namespaces
from gofer.services.pipelines import Pipelines
from gofer.services.runs import Target
from gofer.services.secrets import PutSecret
from gofer.services.tokens import TokenDraft, Tokens
from gofer.storage.page import Page
from gofer.storage.unit import Unit
from gofer_sdk.rules.config import ConfigDraft, TaskDraft
from tests.unit.workers.conftest import CALLER, World, container
from tests.unit.workers.deleting import STRANGER, TEAM, Deleting, make_deleting, make_namespace, make_pipelines


@pytest.fixture
def it(world: World) -> Deleting:
    return make_deleting(world)


async def test_a_namespace_goes_with_all_its_pipelines_and_no_other(it: Deleting) -> None:
    await make_namespace(it)
    await make_namespace(it, "team_b")
    await make_pipelines(it, "first", "second")
    await it.world.register(container("one"))

    async with it.deleter():
        await it.deletion.delete_namespace(CALLER, TEAM, wait=True)

    assert ["default", "team_b"] == await namespaces(it)
    assert {"pipelines": 1, "pipeline_configs": 1} == await it.left()
    assert ["PIPELINE_DELETED", "PIPELINE_DELETED", "NAMESPACE_DELETED"] == (await it.kinds())[-3:]


async def namespaces(it: Deleting) -> list[str]:
    def read(unit: Unit) -> list[str]:
        rows = unit.runs._connection.execute("SELECT id FROM namespaces ORDER BY id")  # noqa: SLF001 - as above
        return [row["id"] for row in rows]

    return await it.world.database.read(read)


async def test_a_namespace_made_again_is_closed_to_who_was_let_into_the_old_one(it: Deleting) -> None:
    await make_namespace(it)
    secrets = GlobalSecrets(database=it.world.database, blobs=it.world.blobs)
    for key, patterns in (("both", ("team", "default")), ("only", ("team",)), ("glob", ("te*",))):
        await secrets.put(CALLER, PutSecret(key=key, value=Secret("hunter22")), patterns)
        await store_token(it, key, *patterns)

    async with it.deleter():
        await it.deletion.delete_namespace(CALLER, TEAM, wait=True)

    expected = {"both": ["default"], "only": [], "glob": ["te*"]}
    stored = await secrets.list(CALLER)
    assert expected == {each.key: [pattern.text for pattern in each.namespaces] for each in stored}
    tokens = {each.id: each for each in (await it.world.database.read(lambda unit: unit.tokens.list(Page()))).items}
    assert expected == {key: [pattern.text for pattern in tokens[TokenId(key)].namespaces] for key in expected}
    assert not tokens[TokenId("both")].caller(is_local=True).allows(TEAM)


async def store_token(it: Deleting, name: str, *patterns: str) -> None:
    def write(unit: Unit) -> None:
        token = Token(
            id=TokenId(name),
            kind=TokenKind.CLIENT,
            namespaces=tuple(map(NamespacePattern, patterns)),
            created_at=unit.now,
            expires_at=None,
        )
        unit.tokens.insert(token, hash_token(name))

    await it.world.database.write(write)


async def test_a_namespace_that_is_being_deleted_takes_nothing_new(it: Deleting) -> None:
    await make_namespace(it)
    await make_pipelines(it, "first")
    spaces = Namespaces(database=it.world.database)
    draft = NamespaceDraft(id=TEAM, name="Team", description="")
    pipelines = Pipelines(database=it.world.database, sealer=it.world.sealer, version_limit=0)
    config = ConfigDraft(id="new", name="New", tasks=(TaskDraft(id="one", image="i"),))
    token = TokenDraft(kind=TokenKind.CLIENT, namespaces=(TEAM,), metadata={}, life="1h")

    await it.deletion.delete_namespace(CALLER, TEAM, wait=False)

    for work in (
        spaces.create(CALLER, draft),
        spaces.update(CALLER, draft),
        pipelines.register(CALLER, TEAM, config),
        pipelines.deploy(CALLER, Target(namespace=TEAM, pipeline="first"), 1),
        Tokens(database=it.world.database).create(CALLER, token),
    ):
        with pytest.raises(FailedPrecondition, match="is being deleted"):
            await work


async def test_the_default_namespace_stays_and_only_an_admin_may_ask(it: Deleting) -> None:
    await make_namespace(it)

    with pytest.raises(FailedPrecondition, match="can't be deleted"):
        await it.deletion.delete_namespace(CALLER, "default", wait=False)
    with pytest.raises(NotFound):
        await it.deletion.delete_namespace(CALLER, "nothing", wait=False)
    with pytest.raises(PermissionDenied):
        await it.deletion.delete_namespace(STRANGER, TEAM, wait=False)

    assert ["default", "team"] == await namespaces(it)
