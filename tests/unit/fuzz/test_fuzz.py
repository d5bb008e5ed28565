import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.__main__ import ROOT, read_outcome
from tests.fuzz.target import NAMES, cut, every_cut, load

ENDED = "#2\tINITED cov: 5 ft: 6 corp: 1/1b\nsomething else\n#1234\tDONE   cov: 88 ft: 534 corp: 91/2Kb lim: 128\n"
COMMANDS = (
    b"service\ninit-config\n--filepath\nsample.hcl",
    b"service\ninit-config\n--filepath\n{outside}",
    b"run\nlist\nabc\n--limit\n-1",
    b"no\nsuch\ncommand",
    b"",
)


@pytest.mark.parametrize("name", sorted({*NAMES} - {"codec", "arguments"}))  # the codec's own tests try its seeds
def test_every_target_takes_its_seeds(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    target = load(name)
    seeds = [*target.seeds()]

    for seed in seeds:
        target.check(seed)

    assert len(seeds) > 4


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_commands_are_run_where_they_can_do_no_harm(tmp_path: Path) -> None:
    """In a process of its own: it can write in a single folder from then on."""
    files = [tmp_path / str(number) for number, _ in enumerate(COMMANDS)]
    for file, content in zip(files, COMMANDS, strict=True):
        file.write_bytes(content.replace(b"{outside}", bytes(tmp_path / "outside")))
    (tmp_path / "inside").mkdir()
    # What measures coverage would write its data outside, and complain that it can't.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}

    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.one", "arguments", "--repeat", *map(str, files)],
        cwd=ROOT,
        env=environment | {"TMPDIR": str(tmp_path / "inside")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr)
    assert not (tmp_path / "outside").exists()
    assert [] != list((tmp_path / "inside").rglob("sample.hcl"))


def test_what_a_target_came_to_is_read_from_what_the_fuzzer_says() -> None:
    outcome = read_outcome("masking", ENDED, 0)

    assert (1234, 88, 534, 91) == (outcome.runs, outcome.edges, outcome.features, outcome.kept)
    assert ["masking        1,234 inputs, 88 edges, 534 features, 91 kept: ok"] == list(outcome.lines())


def test_what_broke_a_promise_is_told_with_the_command_that_repeats_it() -> None:
    kept = ROOT / ".dev/fuzz/masking/crash-0123"

    outcome = read_outcome("masking", f"{ENDED}AssertionError: x\nTest unit written to {kept}\n", 77)

    told = list(outcome.lines())
    assert told[0].endswith("FAILED")
    assert "    AssertionError: x" in told
    assert "    repeat it: ./dev fuzz --repeat masking .dev/fuzz/masking/crash-0123" == told[-1]


def test_a_fuzzer_that_tried_nothing_has_failed() -> None:
    assert read_outcome("masking", "ParseDictionaryFile: file does not exist\n", 0).failed


def test_data_is_cut_everywhere() -> None:
    assert [b"ab", b"c", b"", b"de", b"f", b""] == cut(b"abcdef", b"\x02\x01\x00")
    assert [b"abc"] == cut(b"abc", b"\0\0")
    assert [[b"abc"], [b"a", b"b", b"c"], [b"a", b"bc"], [b"ab", b"c"]] == list(every_cut(b"abc", b""))
    assert all(b"abcdefg" == b"".join(pieces) for pieces in every_cut(b"abcdefg", b"\x03"))


def test_an_unknown_target_is_refused_with_those_that_there_are() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--seconds", "1", "codek"]

    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert 2 == refused.returncode
    assert "there is no target codek: there are codec, config" in refused.stderr
