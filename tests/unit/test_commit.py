from pathlib import Path

import pytest

from gofer.commit import STAMP, built_from

HASH = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Give the package of a checkout that has no `.git` yet."""
    package = tmp_path / "project" / "gofer"
    package.mkdir(parents=True)
    package.with_name("pyproject.toml").touch()
    return package


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_what_was_built_says_its_stamp(package: Path) -> None:
    write(package / STAMP, f"{HASH}\n")
    write(package.parent / ".git/HEAD", "f" * 40)

    assert built_from(package) == "0123456"


def test_a_checkout_says_the_commit_of_its_branch(package: Path) -> None:
    git = package.parent / ".git"
    write(git / "HEAD", "ref: refs/heads/main\n")
    write(git / "packed-refs", f"# pack-refs with: peeled\n{HASH} refs/heads/main\n")
    packed = built_from(package)
    write(git / "refs/heads/main", "f" * 40 + "\n")

    assert packed == "0123456"
    assert built_from(package) == "fffffff"


def test_a_checkout_without_a_branch_says_its_commit(package: Path) -> None:
    write(package.parent / ".git/HEAD", f"{HASH}\n")

    assert built_from(package) == "0123456"


def test_a_working_tree_beside_the_clone_says_its_own_commit(package: Path, tmp_path: Path) -> None:
    own = tmp_path / "clone/.git/worktrees/project"
    write(package.parent / ".git", f"gitdir: {own}\n")
    write(own / "HEAD", "ref: refs/heads/other\n")
    write(own / "commondir", "../..\n")
    write(tmp_path / "clone/.git/refs/heads/other", f"{HASH}\n")

    assert built_from(package) == "0123456"


@pytest.mark.parametrize("head", ["", "ref: refs/heads/none\n", "ref: HEAD\n", "\0\xff", "ref: ../../x\n"])
def test_a_checkout_that_tells_nothing_is_unknown(package: Path, head: str) -> None:
    assert built_from(package) == ""
    write(package.parent / ".git/HEAD", head)

    assert built_from(package) == ""


def test_what_lies_beside_an_installed_package_is_not_asked(package: Path) -> None:
    package.with_name("pyproject.toml").unlink()
    write(package.parent / ".git/HEAD", f"{HASH}\n")

    assert built_from(package) == ""
