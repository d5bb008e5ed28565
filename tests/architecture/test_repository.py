import re
import tomllib
from collections.abc import Iterator
from pathlib import PurePosixPath

from tests.architecture.source import ROOT, tracked_files

TEXT = (
    ".cfg",
    ".hcl",
    ".html",
    ".ini",
    ".json",
    ".md",
    ".proto",
    ".py",
    ".sh",
    ".sql",
    ".toml",
    ".txt",
    ".yaml",
    ".yml",
    "",
)

# Each with why it has no place in the repository.
FOREIGN = {
    r"https?://[^/\s\"'@]+:[^/\s\"'@]+@": "an address with a password",
    r"(?<![\w.])/(?:root|work)/\w": "a folder of one machine",
    r"--(?:extra-)?index-url|--find-links|--trusted-host": "where one machine fetches packages from",
    r"\bD(?:[1-9]|[1-9]\d)\b": "the number of a decision that is not told here",
    r"(?i)\bprototypes?\b": "scratch code that is not here",
    r"(?i)\bissue #?\d": "a ticket that is not here",
}


def _texts() -> Iterator[tuple[str, str]]:
    for path in tracked_files():
        if PurePosixPath(path).suffix in TEXT and path != "tests/architecture/test_repository.py":
            yield path, (ROOT / path).read_text(errors="replace")


def test_the_project_speaks_of_itself_alone() -> None:
    found = [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()!r} is {reason}"
        for path, text in _texts()
        for pattern, reason in FOREIGN.items()
        for match in re.finditer(pattern, text)
    ]

    assert [] == found, "\n".join(found)


def test_every_document_that_is_named_is_here() -> None:
    names = {PurePosixPath(path).name for path in tracked_files()}
    missing = [
        f"{path}: {name}"
        for path, text in _texts()
        for name in re.findall(r"\b[\w-]+\.md\b", text)
        if name not in names
    ]

    assert [] == missing, "\n".join(missing)


def test_every_package_tells_type_checkers_that_it_is_typed() -> None:
    for package in ("gofer", "gofer_sdk", "gofer_extensions"):
        assert (ROOT / package / "py.typed").is_file()


def test_every_locked_version_has_a_hash_and_no_address() -> None:
    for name in ("runtime.txt", "dev.txt", "fuzz.txt"):
        text = (ROOT / "locks" / name).read_text()
        requirements = re.findall(r"^[\w.-]+==\S+ (?:; .+ )?\\\n    --hash=sha256:", text, re.MULTILINE)

        assert len(re.findall(r"^[\w.-]+==", text, re.MULTILINE)) == len(requirements) > 0
        assert "://" not in text


def test_every_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = set(re.findall(r"^([\w.-]+)==", (ROOT / "locks" / "runtime.txt").read_text(), re.MULTILINE))

    assert set() == {re.split(r"[\[=~<>]", line)[0].lower() for line in project["dependencies"]} - locked
