"""Objects over the API: kept, given, listed, evicted, forgotten, streamed, and given to tasks."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from gofer.app import running_app
from gofer.config.settings import FilesystemObjectStoreSettings, Settings
from gofer_sdk._proto import proto
from tests.service.secured import channel_of, opened
from tests.service.wire import ended, kinds, register, start, task, up

EVERY_BYTE = bytes(range(256))
MIB = 1024 * 1024
SIZE_LIMIT_BYTES = 40 * MIB


@pytest.fixture(params=["sqlite", "filesystem"])
def settings(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Settings:
    store = replace(
        settings.object_store,
        engine=request.param,
        pipeline_object_limit=3,
        run_object_expiry=2,
        object_size_limit_bytes=SIZE_LIMIT_BYTES,
        filesystem=FilesystemObjectStoreSettings(path=tmp_path / "data" / "objects"),
    )
    return replace(settings, object_store=store)


async def put(
    stub: proto.GoferStub, key: str = "cache", content: bytes = b"x", *, force: bool = False, pipeline: str = "simple"
) -> proto.PutPipelineObjectResponse:
    return await stub.put_pipeline_object(
        proto.PutPipelineObjectRequest(pipeline_id=pipeline, key=key, content=content, force=force)
    )


async def get(stub: proto.GoferStub, key: str = "cache", *, pipeline: str = "simple") -> bytes:
    reply = await stub.get_pipeline_object(proto.GetPipelineObjectRequest(pipeline_id=pipeline, key=key))
    return reply.content


async def keys(stub: proto.GoferStub, *, pipeline: str = "simple") -> list[str]:
    reply = await stub.list_pipeline_objects(proto.ListPipelineObjectsRequest(pipeline_id=pipeline))
    return [each.key for each in reply.keys]


async def put_run(
    stub: proto.GoferStub, run: int = 0, key: str = "cache", content: bytes = b"x", *, force: bool = False
) -> proto.PutRunObjectResponse:
    return await stub.put_run_object(
        proto.PutRunObjectRequest(pipeline_id="simple", run_id=run, key=key, content=content, force=force)
    )


async def get_run(stub: proto.GoferStub, run: int = 0, key: str = "cache") -> proto.GetRunObjectResponse:
    return await stub.get_run_object(proto.GetRunObjectRequest(pipeline_id="simple", run_id=run, key=key))


async def upload(
    stub: proto.GoferStub, name: proto.ObjectName, pieces: Sequence[bytes], *, force: bool = False
) -> proto.UploadObjectResponse:
    async def messages() -> AsyncIterator[proto.UploadObjectRequest]:
        yield proto.UploadObjectRequest(object=name, force=force)
        for piece in pieces:
            yield proto.UploadObjectRequest(content=piece)

    return await stub.upload_object(messages())


async def download(stub: proto.GoferStub, name: proto.ObjectName) -> tuple[proto.DownloadObjectResponse, bytes]:
    replies = [reply async for reply in stub.download_object(proto.DownloadObjectRequest(object=name))]
    assert all(len(reply.content) <= MIB for reply in replies)
    return replies[0], b"".join(reply.content for reply in replies)


@pytest.mark.parametrize("content", [b"", b"x", EVERY_BYTE, EVERY_BYTE * 20_000], ids=len)
async def test_an_object_is_kept_given_listed_and_forgotten(stub: proto.GoferStub, content: bytes) -> None:
    await register(stub)

    done = await put(stub, content=content)

    assert (len(content), 3, "", []) == (done.bytes, done.object_limit, done.object_evicted, done.objects_evicted)
    assert content == await get(stub)
    (listed,) = (await stub.list_pipeline_objects(proto.ListPipelineObjectsRequest(pipeline_id="simple"))).keys
    assert ("cache", len(content)) == (listed.key, listed.bytes)
    assert listed.created
    await stub.delete_pipeline_object(proto.DeletePipelineObjectRequest(pipeline_id="simple", key="cache"))
    assert [] == await keys(stub)
    with pytest.raises(GRPCError, match="has no object 'cache'") as unknown:
        await get(stub)
    assert Status.NOT_FOUND is unknown.value.status


async def test_only_force_replaces_an_object_and_it_replaces_that_one_alone(stub: proto.GoferStub) -> None:
    await register(stub)
    await put(stub, "1a", b"first")
    await put(stub, "1b", b"other")

    with pytest.raises(GRPCError, match="already; replace it with --force") as taken:
        await put(stub, "1a", b"second")
    assert Status.ALREADY_EXISTS is taken.value.status
    assert b"first" == await get(stub, "1a")
    await put(stub, "1a", b"third", force=True)

    assert (b"third", b"other") == (await get(stub, "1a"), await get(stub, "1b"))


async def test_a_pipeline_keeps_its_newest_objects_and_tells_which_ones_went(stub: proto.GoferStub) -> None:
    await register(stub)
    for key in "abc":
        await put(stub, key, key.encode())
    await put(stub, "a", b"again", force=True)

    assert ["b", "c", "a"] == await keys(stub)
    done = await put(stub, "d")
    assert ("b", ["b"]) == (done.object_evicted, done.objects_evicted)
    done = await put(stub, "e")

    assert "c" == done.object_evicted
    assert ["a", "d", "e"] == await keys(stub)
    with pytest.raises(GRPCError, match="has no object 'b'"):
        await get(stub, "b")
    assert 2 == (await kinds(stub)).count("EVICTED_PIPELINE_OBJECT")


async def test_puts_at_the_same_time_keep_the_limit(stub: proto.GoferStub) -> None:
    await register(stub)

    done = await asyncio.gather(*(put(stub, f"{number}", b"%d" % number) for number in range(12)))

    left = await keys(stub)
    assert 3 == len(left)
    assert {f"{number}" for number in range(12)} == {*left, *(each.object_evicted for each in done)} - {""}
    assert [key.encode() for key in left] == [await get(stub, key) for key in left]


async def test_keys_of_other_owners_never_meet(stub: proto.GoferStub) -> None:
    """Joined with underscores, all of these would be one key."""
    await up(stub)
    await up(stub, pipeline="simple_1")
    run = await ended(stub, await start(stub))
    await put(stub, f"{run.id}_k", b"pipeline")
    await put(stub, "k", b"other pipeline", pipeline="simple_1")
    await put_run(stub, run.id, "k", b"run")

    assert b"pipeline" == await get(stub, f"{run.id}_k")
    assert b"other pipeline" == await get(stub, "k", pipeline="simple_1")
    assert b"run" == (await get_run(stub, run.id, "k")).content


@pytest.mark.parametrize("key", ["../../../etc/passwd", "/etc/passwd", "..", "a/b", "%2e%2e", "C:\\x", "ü" * 100])
async def test_a_key_is_never_a_path(stub: proto.GoferStub, tmp_path: Path, key: str) -> None:
    await register(stub)
    before = {path for path in tmp_path.rglob("*") if "objects" not in path.parts}

    await put(stub, key, b"content")

    assert b"content" == await get(stub, key)
    assert [key] == await keys(stub)
    assert before == {path for path in tmp_path.rglob("*") if "objects" not in path.parts}


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("", "key is missing"),
        (" a", "white space"),
        ("a\x1b[2J", "control characters"),
        ("a\0b", "control characters"),
        ("x" * 257, "at most 256"),
    ],
)
async def test_a_key_that_no_object_can_have_is_refused_in_words(stub: proto.GoferStub, key: str, fault: str) -> None:
    await register(stub)

    for call in (put(stub, key), get(stub, key)):
        with pytest.raises(GRPCError, match=fault) as refused:
            await call
        assert Status.INVALID_ARGUMENT is refused.value.status


async def test_what_does_not_exist_has_no_objects(stub: proto.GoferStub) -> None:
    for call in (put(stub), get(stub), keys(stub), put_run(stub)):
        with pytest.raises(GRPCError, match="no pipeline 'simple'") as unknown:
            await call
        assert Status.NOT_FOUND is unknown.value.status
    await register(stub)
    with pytest.raises(GRPCError, match="has no runs yet"):
        await put_run(stub)
    with pytest.raises(GRPCError, match="no run 7"):
        await get_run(stub, 7)


async def test_an_object_that_is_too_large_is_refused_and_leaves_nothing(stub: proto.GoferStub) -> None:
    await register(stub)
    name = proto.ObjectName(pipeline_id="simple", key="cache")
    piece = bytes(MIB)

    done = await upload(stub, name, [piece] * 40)
    assert SIZE_LIMIT_BYTES == done.bytes
    with pytest.raises(GRPCError, match="more than 41,943,040 bytes") as refused:
        await upload(stub, name, [piece] * 40 + [b"x"], force=True)

    assert Status.RESOURCE_EXHAUSTED is refused.value.status
    assert SIZE_LIMIT_BYTES == len((await download(stub, name))[1])


async def test_objects_of_any_size_go_as_streams(stub: proto.GoferStub) -> None:
    await up(stub)
    run = await ended(stub, await start(stub))
    content = EVERY_BYTE * 12_345
    pieces = [content[:7], content[7:7], content[7 : 2 * MIB], content[2 * MIB :]]
    of_pipeline = proto.ObjectName(pipeline_id="simple", key="cache")
    of_run = proto.ObjectName(pipeline_id="simple", key="cache", of_run=True)

    first, second = await upload(stub, of_pipeline, pieces), await upload(stub, of_run, [])

    assert (len(content), 3, 0) == (first.bytes, first.object_limit, first.run_id)
    assert (0, 0, run.id) == (second.bytes, second.object_limit, second.run_id)
    head, got = await download(stub, of_pipeline)
    assert content == got
    assert head.metadata is not None
    assert ("cache", len(content)) == (head.metadata.key, head.metadata.bytes)
    assert content == await get(stub)
    head, got = await download(stub, of_run)
    assert (run.id, b"") == (head.run_id, got)


async def test_an_upload_that_breaks_leaves_nothing(stub: proto.GoferStub) -> None:
    await register(stub)
    await put(stub, content=b"old")
    name = proto.ObjectName(pipeline_id="simple", key="cache")
    sent = asyncio.Event()

    async def messages() -> AsyncIterator[proto.UploadObjectRequest]:
        yield proto.UploadObjectRequest(object=name, force=True, content=bytes(MIB))
        yield proto.UploadObjectRequest(content=bytes(2 * MIB))
        sent.set()
        await asyncio.Event().wait()

    call = asyncio.create_task(stub.upload_object(messages()))
    await sent.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    assert b"old" == await get(stub)


@pytest.mark.parametrize(
    ("messages", "fault"),
    [
        ([], "needs a request|object is missing|names the object"),
        ([proto.UploadObjectRequest(content=b"x")], "object is missing"),
        (
            [
                proto.UploadObjectRequest(object=proto.ObjectName(pipeline_id="simple", key="a")),
                proto.UploadObjectRequest(object=proto.ObjectName(pipeline_id="simple", key="b")),
            ],
            "only the first message",
        ),
    ],
)
async def test_an_upload_names_its_object_first_and_once(
    stub: proto.GoferStub, messages: list[proto.UploadObjectRequest], fault: str
) -> None:
    await register(stub)

    with pytest.raises(GRPCError, match=fault) as refused:
        await stub.upload_object(messages)

    assert Status.INVALID_ARGUMENT is refused.value.status
    assert [] == await keys(stub)


async def test_a_download_that_is_left_early_holds_nothing_up(stub: proto.GoferStub) -> None:
    await register(stub)
    name = proto.ObjectName(pipeline_id="simple", key="cache")
    await upload(stub, name, [bytes(MIB)] * 20)

    async with opened(stub.download_object(proto.DownloadObjectRequest(object=name))) as replies:
        async for reply in replies:
            if reply.content:
                break

    await put(stub, content=b"new", force=True)
    assert b"new" == await get(stub)


async def test_the_objects_of_a_run_go_when_it_is_old_enough(stub: proto.GoferStub) -> None:
    await up(stub)
    for _ in range(2):
        await ended(stub, await start(stub))
    await put_run(stub, 1, content=b"one")
    assert 2 == (await put_run(stub, content=b"two")).run_id

    assert b"one" == (await get_run(stub, 1)).content
    await ended(stub, await start(stub))

    with pytest.raises(GRPCError, match="are gone: it has ended and is 2 runs old") as gone:
        await get_run(stub, 1)
    assert Status.NOT_FOUND is gone.value.status
    assert [] == (await stub.list_run_objects(proto.ListRunObjectsRequest(pipeline_id="simple", run_id=1))).keys
    with pytest.raises(GRPCError, match="put it on a newer run") as refused:
        await put_run(stub, 1, "other")
    assert Status.FAILED_PRECONDITION is refused.value.status
    assert b"two" == (await get_run(stub, 2)).content
    with pytest.raises(GRPCError, match=r"run default/simple/3 has no object 'cache'"):
        await get_run(stub)
    await stub.delete_run_object(proto.DeleteRunObjectRequest(pipeline_id="simple", run_id=2, key="cache"))
    assert [] == (await stub.list_run_objects(proto.ListRunObjectsRequest(pipeline_id="simple", run_id=2))).keys


async def test_what_was_kept_is_there_after_a_restart(settings: Settings) -> None:
    async with running_app(settings) as app, channel_of(app) as channel:
        stub = proto.GoferStub(channel)
        await register(stub)
        await put(stub, content=EVERY_BYTE)
    async with running_app(settings) as app, channel_of(app) as channel:
        assert EVERY_BYTE == await get(proto.GoferStub(channel))


async def test_a_task_gets_the_objects_that_its_config_refers_to(stub: proto.GoferStub) -> None:
    variables = {"GOFER_MEMORY_LOG": "pipeline_object{{script}}", "OTHER": "pipeline_object{other}"}
    await up(stub, task("hello", variables=variables))
    await put(stub, "script", b"from the store")
    await put(stub, "other", b"\xff\xfe is no UTF-8")

    run = await ended(stub, await start(stub))

    assert "SUCCESSFUL" == run.status.name
    request = proto.GetTaskRunLogsRequest(namespace_id="default", pipeline_id="simple", run_id=run.id, id="hello")
    assert ["from the store"] == [reply.log_line async for reply in stub.get_task_run_logs(request)]


@pytest.mark.parametrize(
    ("reference", "fault"),
    [
        ("pipeline_object{{nothing}}", "the pipeline has no such object; put it with"),
        ("run_object{{nothing}}", "the run has no such object; a task that this one depends on must put it"),
        ("pipeline_object{{large}}", "at most 131,072 are given at once"),
    ],
)
async def test_a_task_that_refers_to_what_is_not_there_fails_before_it_starts(
    stub: proto.GoferStub, reference: str, fault: str
) -> None:
    await up(stub, task("hello", variables={"VALUE": reference}))
    await put(stub, "large", bytes(MIB))

    run = await ended(stub, await start(stub))

    assert "FAILED" == run.status.name
    shown = await stub.get_task_run(
        proto.GetTaskRunRequest(namespace_id="default", pipeline_id="simple", run_id=run.id, id="hello")
    )
    assert shown.task_run is not None
    assert shown.task_run.status_reason is not None
    assert fault in shown.task_run.status_reason.description
