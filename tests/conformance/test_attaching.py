"""Commands on a terminal beside the program of a running container, on the engines that have terminals."""

import asyncio
import uuid

import pytest

from gofer.core.errors import FailedPrecondition, NotFound
from gofer.engines.protocols import ContainerHandle
from gofer.engines.terminals import AttachingEngine, Terminal, TerminalSize, TerminalSpec, attaching
from tests.conformance.cases import NO_GRACE, EngineUnderTest
from tests.conformance.test_cancelling import cancelled_at
from tests.fakes.waiting import until as until_true

UNKNOWN = "0" * 64
MUST_HAVE_THEM = {"docker", "process"}


def sh(script: str, *, size: TerminalSize | None = None, term: str = "xterm") -> TerminalSpec:
    return TerminalSpec(command=("sh", "-c", script), size=size or TerminalSize(), term=term)


def has_terminals(tested: EngineUnderTest) -> bool:
    return tested.case.name in MUST_HAVE_THEM or hasattr(tested.engine, "attach")


def engine_of(tested: EngineUnderTest) -> AttachingEngine:
    if not has_terminals(tested):
        pytest.skip(f"the {tested.case.name} engine has no terminals")
    return attaching(tested.engine)


async def holding(tested: EngineUnderTest) -> ContainerHandle:
    engine_of(tested)
    return await tested.ready(tested.shell("echo ready; exec sleep 1000", MARK="from the task"))


async def until(terminal: Terminal, mark: bytes) -> bytes:
    """Read until the mark has come; all that was read."""
    seen = b""
    while mark not in seen:
        data = await terminal.read()
        if not data:
            raise AssertionError(f"{mark!r} never came, but {seen!r}")
        seen += data
    return seen


async def rest(terminal: Terminal) -> bytes:
    seen = b""
    while data := await terminal.read():
        seen += data
    return seen


async def printed(tested: EngineUnderTest, handle: ContainerHandle, spec: TerminalSpec) -> tuple[bytes, int | None]:
    async with engine_of(tested).attach(handle, spec) as terminal:
        return await rest(terminal), await terminal.exit_code()


async def is_alive(tested: EngineUnderTest, handle: ContainerHandle, pid: str) -> bool:
    script = f'case "$(cat /proc/{pid}/stat 2>/dev/null)" in ""|*") Z "*) echo gone ;; *) echo alive ;; esac'
    seen, _ = await printed(tested, handle, sh(script))
    return seen == b"alive\r\n"


async def test_a_command_has_a_terminal_the_environment_of_the_task_and_an_exit_code(tested: EngineUnderTest) -> None:
    handle = await holding(tested)
    script = 'tty >/dev/null && echo "$MARK $TERM"; exit 7'

    assert await printed(tested, handle, sh(script, term="vt100")) == (b"from the task vt100\r\n", 7)
    assert await printed(tested, handle, sh("kill -KILL $$")) == (b"", 137)


async def test_what_is_typed_is_read_and_echoed(tested: EngineUnderTest) -> None:
    handle = await holding(tested)

    async with engine_of(tested).attach(handle, sh('echo ready; read -r line; echo "<$line>"')) as terminal:
        await until(terminal, b"ready")
        await terminal.write("h\u00e4".encode())
        await terminal.write(b"llo\r")
        seen = await rest(terminal)

    assert seen.endswith("h\u00e4llo\r\n<h\u00e4llo>\r\n".encode())


async def test_ctrl_c_interrupts_and_ctrl_d_ends_the_input(tested: EngineUnderTest) -> None:
    handle = await holding(tested)

    script = "trap 'caught=1' INT; echo ready; until [ $caught ]; do sleep 0.05; done; echo caught; cat"

    async with engine_of(tested).attach(handle, sh(script)) as terminal:
        await until(terminal, b"ready")
        await terminal.write(b"\x03")
        await until(terminal, b"caught")
        await terminal.write(b"\x04")
        await rest(terminal)

        assert await terminal.exit_code() == 0


async def test_the_size_of_the_window_is_known_and_changes_are_told(tested: EngineUnderTest) -> None:
    handle = await holding(tested)
    script = "trap 'stty size' WINCH; stty size; while :; do sleep 0.05; done"

    async with engine_of(tested).attach(handle, sh(script, size=TerminalSize(rows=31, columns=97))) as terminal:
        if tested.case.name == "process":  # Docker sets the size of what has begun
            await until(terminal, b"31 97")
        await terminal.resize(TerminalSize(rows=41, columns=101))
        await until(terminal, b"41 101")


async def test_much_output_comes_whole_and_exact(tested: EngineUnderTest) -> None:
    handle = await holding(tested)

    seen, code = await printed(tested, handle, sh("stty -opost; seq 1 200000; printf '\\377\\000end'"))

    assert code == 0
    assert seen == b"".join(b"%d\n" % number for number in range(1, 200_001)) + b"\xff\x00end"


async def test_leaving_ends_the_command_and_all_that_it_began_and_not_the_container(tested: EngineUnderTest) -> None:
    handle = await holding(tested)
    script = "trap '' HUP TERM INT; (trap '' HUP TERM; sleep 1000) & echo pid $$ $! .; while :; do sleep 0.1; done"

    async with engine_of(tested).attach(handle, sh(script)) as terminal:
        seen = await until(terminal, b" .\r\n")
    pids = seen.split()[1:3]

    assert [await is_alive(tested, handle, pid.decode()) for pid in pids] == [False, False]
    assert (await tested.engine.inspect(handle)).exit_code is None


async def test_a_cancelled_reader_leaves_nothing(tested: EngineUnderTest) -> None:
    handle = await holding(tested)
    pids: list[str] = []
    begun = asyncio.Event()

    async def attached() -> None:
        async with engine_of(tested).attach(handle, sh("echo pid $$ .; sleep 1000")) as terminal:
            pids.append((await until(terminal, b" .\r\n")).split()[1].decode())
            begun.set()
            await rest(terminal)

    async with asyncio.TaskGroup() as group:
        reader = group.create_task(attached())
        await begun.wait()
        reader.cancel()

    assert not await is_alive(tested, handle, pids[0])


async def test_who_is_cancelled_while_a_terminal_is_opened_or_left_leaves_nothing(tested: EngineUnderTest) -> None:
    handle = await holding(tested)
    seconds = f"1000.{uuid.uuid4().int}"

    async def attached() -> None:
        async with engine_of(tested).attach(handle, sh(f"exec sleep {seconds}")):
            pass

    async def all_are_gone() -> bool:
        seen, _ = await printed(tested, handle, sh(r"cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' ' '"))
        return seconds.encode() not in seen

    suspension = 0
    while await cancelled_at(suspension, attached()):
        suspension += 1
    await until_true(all_are_gone)  # those that were not opened, or not left, to the end are so a bit later


async def test_several_are_attached_at_once(tested: EngineUnderTest) -> None:
    handle = await holding(tested)

    ends = await asyncio.gather(*(printed(tested, handle, sh(f"echo {number}; exit {number}")) for number in range(5)))

    assert ends == [(b"%d\r\n" % number, number) for number in range(5)]


async def test_a_command_that_does_not_exist_is_told_on_the_terminal(tested: EngineUnderTest) -> None:
    handle = await holding(tested)

    seen, code = await printed(tested, handle, TerminalSpec(command=("no-such-command",)))

    assert b"no-such-command" in seen
    assert b"not found" in seen
    assert code in {126, 127}


async def test_nothing_is_attached_to_what_does_not_run(tested: EngineUnderTest) -> None:
    engine_of(tested)
    ended = await tested.ready(tested.shell("echo ready"))
    await tested.engine.wait(ended)
    created = await tested.engine.create(tested.shell("echo ready"))

    for handle in (ended, created):
        with pytest.raises(FailedPrecondition, match="does not run"):
            await printed(tested, handle, sh("true"))
    with pytest.raises(NotFound):
        await printed(tested, ContainerHandle(UNKNOWN), sh("true"))


async def test_typing_to_what_has_ended_is_nothing(tested: EngineUnderTest) -> None:
    handle = await holding(tested)

    async with engine_of(tested).attach(handle, sh("exit 3")) as terminal:
        await rest(terminal)
        await terminal.write(b"late\r")
        await terminal.resize(TerminalSize(rows=3, columns=3))

        assert await terminal.exit_code() == 3


async def test_the_end_of_the_container_ends_the_command_where_it_isolates(tested: EngineUnderTest) -> None:
    handle = await holding(tested)
    if not tested.engine.capabilities.isolates:
        pytest.skip(f"the {tested.case.name} engine does not isolate")

    async with engine_of(tested).attach(handle, sh("echo ready; sleep 1000")) as terminal:
        await until(terminal, b"ready")
        await tested.engine.stop(handle, grace=NO_GRACE)
        await rest(terminal)


async def test_an_engine_without_terminals_says_so(tested: EngineUnderTest) -> None:
    if has_terminals(tested):
        pytest.skip(f"the {tested.case.name} engine has terminals")

    with pytest.raises(FailedPrecondition, match="it has no terminals"):
        attaching(tested.engine)
