"""Logs: every byte, in order, live and later."""

import asyncio
from contextlib import suppress

import pytest

from gofer.core.errors import EngineUnavailable, NotFound
from gofer.core.output import LogCursor, LogStream
from gofer.engines.protocols import ContainerHandle
from tests.conformance.cases import HOLDING, NO_GRACE, Behaviour, EngineUnderTest, err, out

MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    "written",
    [
        b"",
        b"a line\n",
        b"no newline at the end",
        b"\n\n",
        b"dos\r\nlines\r\n",
        b"\x00\x01\xff\xfe\xc3\x28 not utf-8 \xed\xa0\x80\n",
        bytes(range(256)) * 8,
        b"".join(b"line %d\n" % number for number in range(2000)),
    ],
    ids=["nothing", "line", "no-newline", "empty-lines", "dos", "not-utf8", "every-byte", "many-lines"],
)
async def test_every_byte_comes_as_it_was_written(tested: EngineUnderTest, written: bytes) -> None:
    handle = await tested.started(Behaviour(output=(out(written),) if written else ()))

    live = await tested.output(handle)
    await tested.engine.wait(handle)
    later = await tested.output(handle)

    assert live == written
    assert later == written


async def test_a_line_of_10_megabytes_comes_whole(tested: EngineUnderTest) -> None:
    size = 10 * MEGABYTE
    if tested.case.runs_commands:
        handle = await tested.started(tested.shell(f"head -c {size} /dev/zero | tr '\\0' x; echo; echo end"))
    else:
        handle = await tested.started(Behaviour(output=(out(b"x" * size + b"\nend\n"),)))

    assert await tested.output(handle) == b"x" * size + b"\nend\n"


async def test_a_log_opened_before_the_start_misses_nothing(tested: EngineUnderTest) -> None:
    handle = await tested.engine.create(tested.spec(Behaviour(output=(out(b"first\n"), out(b"last")))))

    async with tested.engine.logs(handle) as chunks:
        await tested.engine.start(handle)
        read = b"".join([chunk.data async for chunk in chunks])

    assert read == b"first\nlast"


async def test_both_streams_are_kept_in_their_order(tested: EngineUnderTest) -> None:
    written = (out(b"o1\n"), err(b"e1\n"), out(b"o2\n"), err(b"e2"), out(b"o3"))
    handle = await tested.started(Behaviour(output=written))

    streams = await tested.streams(handle)

    if tested.engine.capabilities.tells_streams:
        assert streams == {LogStream.STDOUT: b"o1\no2\no3", LogStream.STDERR: b"e1\ne2"}
    else:
        assert streams == {LogStream.STDOUT: b"o1\ne1\no2\ne2o3", LogStream.STDERR: b""}


async def test_streams_that_are_not_written_at_once_come_in_arrival_order(tested: EngineUnderTest) -> None:
    read = b""
    for pause in (0.2, 2):  # on a machine that is too busy to read meanwhile it is longer
        script = f"echo o1; sleep {pause}; echo e1 >&2; sleep {pause}; echo o2; sleep {pause}; echo e2 >&2"
        read = await tested.output(await tested.started(tested.shell(script)))
        if read == b"o1\ne1\no2\ne2\n":
            return
    raise AssertionError(f"they came as {read!r}")


async def test_output_comes_while_the_container_runs(tested: EngineUnderTest) -> None:
    handle = await tested.started(HOLDING)

    async with tested.engine.logs(handle) as chunks:
        first = await anext(chunks)
        running = await tested.engine.inspect(handle)
        await tested.engine.stop(handle, grace=NO_GRACE)
        rest = [chunk.data async for chunk in chunks]

    assert (first.data, running.exit_code, b"".join(rest)) == (b"ready\n", None, b"")


@pytest.mark.parametrize("position", [0, 1, 5, 9, 10])
async def test_a_cursor_goes_on_where_it_stands(tested: EngineUnderTest, position: int) -> None:
    handle = await tested.started(Behaviour(output=(out(b"01234"), out(b"56789"))))
    await tested.engine.wait(handle)

    read = await tested.output(handle, LogCursor(stdout_bytes=position))

    assert read == b"0123456789"[position:]


async def test_a_cursor_counts_each_stream(tested: EngineUnderTest) -> None:
    handle = await tested.started(Behaviour(output=(out(b"abc"), err(b"xyz"), out(b"def"))))
    await tested.engine.wait(handle)
    if not tested.engine.capabilities.tells_streams:
        assert await tested.output(handle, LogCursor(stdout_bytes=4)) == b"yzdef"
        return

    found = {LogStream.STDOUT: b"", LogStream.STDERR: b""}
    async with tested.engine.logs(handle, since=LogCursor(stdout_bytes=4, stderr_bytes=1)) as chunks:
        async for chunk in chunks:
            found[chunk.stream] += chunk.data

    assert found == {LogStream.STDOUT: b"ef", LogStream.STDERR: b"yz"}


async def test_followers_are_independent(tested: EngineUnderTest) -> None:
    handle = await tested.ready(HOLDING)

    async with asyncio.TaskGroup() as group:
        readers = [group.create_task(tested.output(handle)) for _ in range(3)]
        async with tested.engine.logs(handle):
            pass  # one that leaves disturbs nobody
        await tested.engine.stop(handle, grace=NO_GRACE)

    assert [reader.result() for reader in readers] == [b"ready\n"] * 3


async def test_many_followers_that_leave_hold_nothing(tested: EngineUnderTest) -> None:
    handle = await tested.ready(HOLDING)

    for _ in range(150):
        async with tested.engine.logs(handle) as chunks:
            await anext(chunks)

    assert (await tested.engine.inspect(handle)).exit_code is None


async def test_the_log_of_what_was_stopped_before_its_start_is_empty(tested: EngineUnderTest) -> None:
    handle = await tested.engine.create(tested.spec(HOLDING))

    async with tested.engine.logs(handle) as chunks:
        await tested.engine.stop(handle, grace=NO_GRACE)
        read = [chunk async for chunk in chunks]

    assert read == []


async def test_a_child_left_in_the_background_can_not_hold_the_log_open(tested: EngineUnderTest) -> None:
    handle = await tested.started(tested.shell("sleep 1000 & echo done; exit 4"))

    read = await tested.output(handle)
    result = await tested.engine.wait(handle)

    assert (read, result.exit_code) == (b"done\n", 4)


async def test_removing_ends_the_log_of_who_follows(tested: EngineUnderTest) -> None:
    handle = await tested.ready(HOLDING)

    async with asyncio.TaskGroup() as group:
        reader = group.create_task(_read_what_comes(tested, handle))
        await asyncio.sleep(0)
        await tested.engine.remove(handle)

    assert reader.done()


async def _read_what_comes(tested: EngineUnderTest, handle: ContainerHandle) -> None:
    with suppress(NotFound, EngineUnavailable):
        await tested.output(handle)
