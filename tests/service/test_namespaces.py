import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from gofer_sdk._proto import proto
from gofer_sdk.codec import encode
from tests.service.wire import kinds


async def ids(stub: proto.GoferStub, **page: object) -> tuple[list[str], str]:
    reply = await stub.list_namespaces(proto.ListNamespacesRequest(**page))  # type: ignore[arg-type]  # its own fields
    return [found.id for found in reply.namespaces], reply.next_cursor


async def create(stub: proto.GoferStub, name: str) -> proto.Namespace | None:
    request = proto.CreateNamespaceRequest(id=name, name=name.title(), description="words")
    return (await stub.create_namespace(request)).namespace


async def test_a_new_server_has_the_default_namespace(stub: proto.GoferStub) -> None:
    reply = await stub.get_namespace(proto.GetNamespaceRequest(id="default"))

    assert reply.namespace is not None
    assert (reply.namespace.id, reply.namespace.name) == ("default", "Default")
    assert reply.namespace.created > 0
    assert await kinds(stub) == ["NAMESPACE_CREATED"]


async def test_a_namespace_is_made_changed_and_looked_up(stub: proto.GoferStub) -> None:
    made = await create(stub, "team")
    await stub.update_namespace(proto.UpdateNamespaceRequest(id="team", name="Other"))

    found = (await stub.get_namespace(proto.GetNamespaceRequest(id="team"))).namespace

    assert made is not None
    assert found is not None
    assert (made.id, made.name, made.description) == ("team", "Team", "words")
    assert (found.name, found.description, found.created) == ("Other", "", made.created)
    assert found.modified >= made.modified
    assert await kinds(stub) == ["NAMESPACE_CREATED"] * 2


async def test_namespaces_are_listed_by_id_with_offset_limit_and_cursor(stub: proto.GoferStub) -> None:
    for name in ("bbb", "aaa"):
        await create(stub, name)

    first, cursor = await ids(stub, limit=2)

    assert first == ["aaa", "bbb"]
    assert await ids(stub, limit=2, cursor=cursor) == (["default"], "")
    assert await ids(stub, offset=1) == (["bbb", "default"], "")
    assert await ids(stub, offset=9) == ([], "")


@pytest.mark.parametrize(
    ("page", "fault"),
    [({"offset": -1}, "offset -1"), ({"limit": -1}, "limit -1"), ({"cursor": "x"}, "cursor is not one")],
)
async def test_a_page_that_makes_no_sense_is_refused(
    stub: proto.GoferStub, page: dict[str, object], fault: str
) -> None:
    with pytest.raises(GRPCError, match=fault) as refused:
        await ids(stub, **page)

    assert refused.value.status is Status.INVALID_ARGUMENT


async def test_faults_come_with_the_status_that_fits(stub: proto.GoferStub) -> None:
    await create(stub, "team")

    with pytest.raises(GRPCError, match="there is a namespace 'team' already") as taken:
        await create(stub, "team")
    with pytest.raises(GRPCError, match="characters") as bad:
        await create(stub, "a-b")
    with pytest.raises(GRPCError, match="no namespace 'nothing'") as unknown:
        await stub.get_namespace(proto.GetNamespaceRequest(id="nothing"))
    with pytest.raises(GRPCError, match="no namespace 'nothing'") as unknown_too:
        await stub.update_namespace(proto.UpdateNamespaceRequest(id="nothing", name="x"))
    with pytest.raises(GRPCError, match="no namespace 'nothing'") as never_there:
        await stub.delete_namespace(proto.DeleteNamespaceRequest(id="nothing"))

    assert taken.value.status is Status.ALREADY_EXISTS
    assert bad.value.status is Status.INVALID_ARGUMENT
    assert unknown.value.status is Status.NOT_FOUND
    assert unknown_too.value.status is Status.NOT_FOUND
    assert never_there.value.status is Status.NOT_FOUND


async def test_a_page_of_well_described_namespaces_is_short_enough_for_a_message_that_clients_take(
    stub: proto.GoferStub,
) -> None:
    for number in range(80):
        await stub.create_namespace(
            proto.CreateNamespaceRequest(id=f"space{number:02}", name="Space", description="d" * 60_000)
        )

    first = await stub.list_namespaces(proto.ListNamespacesRequest())
    second = await stub.list_namespaces(proto.ListNamespacesRequest(cursor=first.next_cursor))

    assert len(first.namespaces) + len(second.namespaces) == 81
    assert not second.next_cursor
    assert len(encode(first)) < 4 * 1024 * 1024
