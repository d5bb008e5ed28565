"""Where a pipeline comes from: a program in a folder or file, or a ready message."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from gofer_sdk.rules.text import escaped, quoted

_PYTHON_FILES: Final = ("pipeline.py", "main.py")
_MANIFESTS: Final = {"go.mod": "go", "cargo.toml": "rust"}
_PROJECT_MARKS: Final = ("pyproject.toml", ".git")


class Language(StrEnum):
    """The languages that a pipeline may be written in."""

    PYTHON = "python"
    GO = "go"
    RUST = "rust"


class SourceFault(ValueError):
    """There is no pipeline at a path, or it is not clear which; the text says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramSource:
    """A program that prints a pipeline: its language, its folder, and the file that tells (absolute)."""

    language: Language
    folder: Path
    file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSource:
    """A ready message, binary or JSON, in a file; None = on the standard input."""

    file: Path | None


def find_source(path: str, *, language: Language | None = None) -> ProgramSource | MessageSource:
    """Return what `path`, a folder, a file or `-`, holds; `language` chooses where a folder holds several.

    Raises:
        SourceFault: nothing is there, nothing that is known, more than one language, or a file of another one.

    """
    if path == "-":
        return MessageSource(file=None)
    place = Path(path).absolute()
    if place.is_dir():
        return _program_in(place, language)
    if not place.is_file():
        raise SourceFault(f"{escaped(path)} is neither a folder nor a file")
    found = _language_of(place)
    if found is None:
        return MessageSource(file=place)
    if language not in {None, found}:
        raise SourceFault(f"{escaped(path)} is a program in {found.value}: leave --lang out, or name another file")
    return ProgramSource(language=found, folder=place.parent, file=place)


def _language_of(file: Path) -> Language | None:
    if file.suffix == ".py":
        return Language.PYTHON
    named = _MANIFESTS.get(file.name.lower())
    return Language(named) if named else None


def find_python(folder: Path) -> Path | None:
    """Return the interpreter of the project that `folder` lies in, None if the project has no `.venv` of its own."""
    for place in (folder, *folder.parents):
        python = place / ".venv" / "bin" / "python"
        if python.is_file():
            return python
        if any((place / mark).exists() for mark in _PROJECT_MARKS):
            return None
    return None


def _program_in(folder: Path, language: Language | None) -> ProgramSource:
    programs = {program.language: program for program in _programs(folder)}
    if language is not None:
        if language not in programs:
            raise SourceFault(f"there is no {language.value} program in {folder}: {_EXPECTED[language]}")
        return programs[language]
    if not programs:
        raise SourceFault(f"there is no pipeline in {folder}: {'; '.join(_EXPECTED.values())}")
    if len(programs) > 1:
        choices = ", ".join(f"--lang {found.value} ({program.file.name})" for found, program in programs.items())
        raise SourceFault(f"there are programs in several languages in {folder}; choose one: {choices}")
    return next(iter(programs.values()))


_EXPECTED: Final = {
    Language.PYTHON: "Python needs pipeline.py, main.py or `[tool.gofer] pipeline` in pyproject.toml",
    Language.GO: "Go needs go.mod",
    Language.RUST: "Rust needs Cargo.toml",
}


def _programs(folder: Path) -> Iterator[ProgramSource]:
    file = _python_file(folder)
    if file:
        yield ProgramSource(language=Language.PYTHON, folder=folder, file=file)
    for entry in sorted(folder.iterdir()):
        if entry.name.lower() in _MANIFESTS and entry.is_file():
            yield ProgramSource(language=Language(_MANIFESTS[entry.name.lower()]), folder=folder, file=entry)


def _python_file(folder: Path) -> Path | None:
    named = _named_in_project(folder / "pyproject.toml")
    if named is not None:
        file = folder / named
        if not file.is_file():
            raise SourceFault(f"pyproject.toml names {quoted(named)} as the pipeline, which is no file in {folder}")
        return file
    return next((folder / name for name in _PYTHON_FILES if (folder / name).is_file()), None)


def _named_in_project(project: Path) -> str | None:
    if not project.is_file():
        return None
    try:
        tables = tomllib.loads(project.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SourceFault(f"{project} can't be read: {error}") from error
    tool: object = tables.get("tool")
    ours: object = tool.get("gofer") if isinstance(tool, dict) else None
    named: object = ours.get("pipeline") if isinstance(ours, dict) else None
    if named is not None and not isinstance(named, str):
        raise SourceFault(f"{project}: `[tool.gofer] pipeline` has to name a file")
    return named
