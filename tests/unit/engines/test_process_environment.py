"""What a task's process is given, beside its command: environment, folder, signals, descriptors."""

import os
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gofer.engines.scheduler.process import ProcessEngine
from tests.unit.engines.processes import PATH, engine_in, output, run, shell, spec_of, started

ODD = {"with.dot": "x", "PWD": "/y", "LD_LIBRARY_PATH": "/z"}  # what goes around the shell

C_LIBRARYS_OWN = 1 << 31 | 1 << 32  # signals 32 and 33 are not for programs


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[ProcessEngine]:
    async with engine_in(tmp_path / "process") as entered:
        yield entered


async def environment_of(engine: ProcessEngine, given: dict[str, str]) -> dict[str, str]:
    raw = await run(engine, spec_of("cat", "/proc/self/environ", environment=given))
    return dict(entry.split("=", 1) for entry in os.fsdecode(raw).split("\0") if entry)


@pytest.mark.parametrize(
    "given",
    [{}, {"A": "1", "EMPTY": "", "stat": "s"}, ODD, {"BYTES": "\udcff\udcfe"}],
    ids=["none", "plain", "odd", "raw"],
)
async def test_only_path_and_home_are_added(engine: ProcessEngine, given: dict[str, str], tmp_path: Path) -> None:
    found = await environment_of(engine, given)

    home = Path(found.pop("HOME"))
    assert found == {"PATH": PATH, **given}
    assert (home.name, home.parent.parent) == ("work", tmp_path / "process")


async def test_a_path_without_any_tools_does_not_disturb_the_shim(engine: ProcessEngine) -> None:
    handle = await started(engine, spec_of("/bin/sh", "-c", "exit 3", environment={"PATH": "/nowhere"}))

    assert (await engine.wait(handle)).exit_code == 3


async def test_a_command_is_looked_up_on_the_path_that_it_is_given(engine: ProcessEngine, tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\necho found\n")
    tool.chmod(0o755)

    assert await run(engine, spec_of("tool", environment={"PATH": f"{tmp_path}:/bin"})) == b"found\n"


async def test_it_works_in_its_own_folder(engine: ProcessEngine) -> None:
    read = await run(engine, shell('pwd; umask; touch "$HOME/file"; ls'))

    where, mask, listed = read.decode().split()
    assert (Path(where).name, mask, listed) == ("work", "0022", "file")


async def test_files_are_private(engine: ProcessEngine, tmp_path: Path) -> None:
    handle = await engine.create(shell("true", SECRET="s3cret"))
    folder = tmp_path / "process" / handle
    created = modes(folder)
    await engine.start(handle)
    await engine.wait(handle)

    assert created == {"": 0o700, "work": 0o700, "spec.json": 0o600, "environ": 0o600, "log": 0o600}
    assert set(modes(folder).values()) == {0o700, 0o600}
    assert "s3cret" not in (folder / "spec.json").read_text()


@pytest.mark.parametrize("odd", [{}, ODD], ids=["plain", "odd"])
async def test_the_kept_environment_goes_when_the_command_has_it(
    engine: ProcessEngine, tmp_path: Path, odd: dict[str, str]
) -> None:
    handle = await engine.create(shell("true", SECRET="s3cret", **odd))
    await engine.start(handle)
    await engine.wait(handle)

    assert not (tmp_path / "process" / handle / "environ").exists()


@pytest.mark.parametrize("odd", [{}, ODD], ids=["plain", "odd"])
async def test_no_signal_is_ignored_or_blocked(engine: ProcessEngine, odd: dict[str, str]) -> None:
    read = await run(engine, spec_of("grep", "-E", "^Sig(Ign|Blk)", "/proc/self/status", environment=odd))

    lines = [line.split() for line in read.decode().splitlines()]
    assert ["SigBlk:", "SigIgn:"] == [name for name, _ in lines]
    for _, signals in lines:
        assert int(signals, 16) & ~C_LIBRARYS_OWN == 0


@pytest.mark.parametrize("odd", [{}, ODD], ids=["plain", "odd"])
async def test_no_descriptor_of_the_server_comes_along(tmp_path: Path, odd: dict[str, str]) -> None:
    reader, writer = os.pipe()
    os.set_inheritable(reader, True)  # noqa: FBT003 - the standard library's
    try:
        async with engine_in(tmp_path) as engine:
            read = await run(engine, spec_of("ls", "/proc/self/fd", environment=odd))
    finally:
        os.close(reader)
        os.close(writer)

    assert read.split() == [b"0", b"1", b"2", b"3"]  # 3 is the folder that ls reads


async def test_it_has_a_session_and_a_group_of_its_own(engine: ProcessEngine) -> None:
    read = await run(engine, spec_of("cat", "/proc/self/stat"))

    fields = read.decode().rpartition(")")[2].split()
    parent, group, session, terminal = (int(field) for field in fields[1:5])
    assert parent == group == session
    assert session != os.getsid(0)
    assert terminal == 0


async def test_both_streams_come_in_exactly_the_order_of_writing(engine: ProcessEngine) -> None:
    script = "i=0; while [ $i -lt 300 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done"

    read = await run(engine, shell(script))

    assert read == "".join(f"o{number}\ne{number}\n" for number in range(300)).encode()


async def test_nothing_is_said_beside_what_the_task_says(engine: ProcessEngine) -> None:
    handle = await started(engine, shell("printf x; kill -SEGV $$"))

    assert await output(engine, handle) == b"x"
    assert (await engine.wait(handle)).exit_code == 139


async def test_odd_variables_do_not_change_the_exit_code_of_a_command(engine: ProcessEngine) -> None:
    handle = await started(engine, spec_of(sys.executable, "-c", "raise SystemExit(9)", environment=ODD))

    assert (await engine.wait(handle)).exit_code == 9


def modes(folder: Path) -> dict[str, int]:
    found = {"": stat.S_IMODE(folder.stat().st_mode)}
    for path in folder.iterdir():
        found[path.name] = stat.S_IMODE(path.stat().st_mode)
    return found
