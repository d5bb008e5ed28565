"""The command line's file: read quickly, edited one line at a time."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer.config.client_file import read_entries, set_entry
from gofer.core.errors import InvalidInput
from gofer_sdk.hcl import parse_hcl

FLAT = """\
# my settings
namespace = "old"   # the usual one
token     = "abc"
detail    = true    // exact

limit = -5
"""


def values(path: Path) -> dict[str, object]:
    """Return the entries without their lines."""
    return {name: entry.value for name, entry in read_entries(path).items()}


def write(folder: Path, text: str) -> Path:
    """Write a file of settings."""
    path = folder / "gofer.hcl"
    path.write_bytes(text.encode())
    return path


def test_plain_lines_are_read_without_the_parser(tmp_path: Path) -> None:
    path = write(tmp_path, FLAT)
    program = (
        "import sys, pathlib; from gofer.config.client_file import read_entries\n"
        "print(read_entries(pathlib.Path(sys.argv[1]))['namespace'].value, 'hcl2' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)

    assert done.stdout == "old False\n"


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_what_plain_lines_say_is_what_hcl_says(tmp_path: Path, ending: str) -> None:
    text = FLAT.replace("\n", ending)

    read = values(write(tmp_path, text))

    assert read == {"namespace": "old", "token": "abc", "detail": True, "limit": -5}
    assert read == {name: each.value for name, each in parse_hcl(text).attributes.items()}


def test_what_plain_lines_can_not_say_is_left_to_hcl(tmp_path: Path) -> None:
    path = write(tmp_path, 'namespace = "a\\tb"\n/* more\n*/ token = <<EOT\nsecret\nEOT\n')

    assert values(path) == {"namespace": "a\tb", "token": "secret\n"}


@pytest.mark.fuzz
@given(st.text(alphabet='ab_="#/ \n\\$%{}1-', max_size=30))
def test_plain_reading_and_hcl_never_disagree(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = write(tmp_path_factory.mktemp("file"), text)
    try:
        read = values(path)
    except InvalidInput:
        return

    assert read == {name: each.value for name, each in parse_hcl(text).attributes.items()}


def test_one_line_is_changed_and_the_rest_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path, FLAT)

    set_entry(path, "namespace", "new")

    assert path.read_text() == FLAT.replace('"old"', '"new"')
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", 'namespace = "new"\n'),
        ('token = "x"', 'token = "x"\nnamespace = "new"\n'),
        ('token = "x"\n\n', 'token = "x"\n\nnamespace = "new"\n'),
        ('  namespace="a"', '  namespace="new"'),
        ('namespace = "a \\" # b" # c\n', 'namespace = "new" # c\n'),
        ("namespace = 5\r\ntoken = 1\r\n", 'namespace = "new"\r\ntoken = 1\r\n'),
        ('/* namespace = "no" */\nnamespace = "yes"\n', '/* namespace = "no" */\nnamespace = "new"\n'),
        ('token = <<EOT\nnamespace = "no"\nEOT\n', 'token = <<EOT\nnamespace = "no"\nEOT\nnamespace = "new"\n'),
    ],
)
def test_files_of_all_shapes_are_edited(tmp_path: Path, before: str, after: str) -> None:
    path = write(tmp_path, before)

    set_entry(path, "namespace", "new")

    assert path.read_bytes().decode() == after
    assert values(path)["namespace"] == "new"


@pytest.mark.parametrize("value", ['a"b', "a\\b", "a${b}", "%{x}", "a\nb", "ü"])
def test_any_value_is_read_back(tmp_path: Path, value: str) -> None:
    path = tmp_path / "new.hcl"

    set_entry(path, "namespace", value)

    assert values(path) == {"namespace": value}


@pytest.mark.parametrize(
    "text", ["namespace = <<EOT\nx\nEOT\n", "namespace =\n", 'x = "1"\nx = "2"\n', "namespace = [1]\n"]
)
def test_what_can_not_be_changed_by_itself_is_left_alone(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)

    with pytest.raises(InvalidInput):
        set_entry(path, "namespace", "new")

    assert path.read_text() == text


def test_a_symbolic_link_of_ones_own_stays_one(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    real = write(tmp_path / "dotfiles", FLAT)
    link = tmp_path / ".gofer.hcl"
    link.symlink_to(real)

    set_entry(link, "namespace", "new")

    assert link.is_symlink()
    assert values(real)["namespace"] == "new"


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="can't be written: No such file"):
        set_entry(tmp_path / "gone" / "file", "namespace", "new")


def test_a_number_without_end_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="line 1, column 9: a number of 5000 digits is too long"):
        read_entries(write(tmp_path, f"limit = {'1' * 5000}"))


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "gofer.hcl").write_bytes(b"\xff\xfe")

    with pytest.raises(InvalidInput, match="not UTF-8"):
        read_entries(tmp_path / "gofer.hcl")
