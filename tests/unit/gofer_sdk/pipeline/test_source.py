"""Where a pipeline is found."""

from pathlib import Path

import pytest

from gofer_sdk.pipeline.source import Language, MessageSource, ProgramSource, SourceFault, find_python, find_source


def make(folder: Path, *names: str) -> None:
    """Make empty files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize(
    ("names", "language", "file"),
    [
        (["pipeline.py"], Language.PYTHON, "pipeline.py"),
        (["main.py"], Language.PYTHON, "main.py"),
        (["main.py", "pipeline.py", "README.md"], Language.PYTHON, "pipeline.py"),
        (["go.mod", "main.go"], Language.GO, "go.mod"),
        (["Cargo.toml"], Language.RUST, "Cargo.toml"),
        (["cargo.toml"], Language.RUST, "cargo.toml"),
    ],
)
def test_a_folder_tells_its_language(tmp_path: Path, names: list[str], language: Language, file: str) -> None:
    make(tmp_path, *names)

    assert ProgramSource(language=language, folder=tmp_path, file=tmp_path / file) == find_source(str(tmp_path))


def test_a_project_names_its_pipeline(tmp_path: Path) -> None:
    make(tmp_path, "pipeline.py", "ci/nightly.py")
    (tmp_path / "pyproject.toml").write_text('[tool.gofer]\npipeline = "ci/nightly.py"\n')

    source = find_source(str(tmp_path))

    assert ProgramSource(language=Language.PYTHON, folder=tmp_path, file=tmp_path / "ci/nightly.py") == source


def test_several_languages_ask_for_a_choice(tmp_path: Path) -> None:
    make(tmp_path, "pipeline.py", "go.mod", "Cargo.toml")

    with pytest.raises(SourceFault, match=r"--lang python \(pipeline.py\), --lang rust \(Cargo.toml\), --lang go"):
        find_source(str(tmp_path))
    chosen = find_source(str(tmp_path), language=Language.GO)

    assert isinstance(chosen, ProgramSource)
    assert chosen.language is Language.GO


@pytest.mark.parametrize(
    ("project", "expected"),
    [
        ('[tool.gofer]\npipeline = "gone.py"', "names 'gone.py' as the pipeline"),
        ("[tool.gofer]\npipeline = 5", "has to name a file"),
        ("[tool", "can't be read"),
    ],
)
def test_a_project_file_that_does_not_help_is_told(tmp_path: Path, project: str, expected: str) -> None:
    (tmp_path / "pyproject.toml").write_text(project)

    with pytest.raises(SourceFault, match=expected):
        find_source(str(tmp_path))


@pytest.mark.parametrize("project", ["", "[tool]\ngofer = 1", "tool = 1", "[tool.gofer]"])
def test_a_project_that_names_nothing_is_looked_through(tmp_path: Path, project: str) -> None:
    make(tmp_path, "main.py")
    (tmp_path / "pyproject.toml").write_text(project)

    assert isinstance(find_source(str(tmp_path)), ProgramSource)


def test_files_are_programs_or_messages(tmp_path: Path) -> None:
    make(tmp_path, "any.py", "pipeline.json", "pipeline.bin", "go.mod")

    python = find_source(str(tmp_path / "any.py"))
    go = find_source(str(tmp_path / "go.mod"))

    assert ProgramSource(language=Language.PYTHON, folder=tmp_path, file=tmp_path / "any.py") == python
    assert ProgramSource(language=Language.GO, folder=tmp_path, file=tmp_path / "go.mod") == go
    assert MessageSource(file=tmp_path / "pipeline.json") == find_source(str(tmp_path / "pipeline.json"))
    assert MessageSource(file=tmp_path / "pipeline.bin") == find_source(str(tmp_path / "pipeline.bin"))
    assert MessageSource(file=None) == find_source("-")


def test_a_file_of_another_language_than_the_one_asked_for_is_told(tmp_path: Path) -> None:
    """The choice was passed over, and the file run as what it is."""
    make(tmp_path, "any.py", "go.mod")

    with pytest.raises(SourceFault, match=r"any.py' is a program in python: leave --lang out"):
        find_source(str(tmp_path / "any.py"), language=Language.GO)
    assert isinstance(find_source(str(tmp_path / "go.mod"), language=Language.GO), ProgramSource)


def test_where_nothing_is_the_choices_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceFault, match=r"Python needs pipeline.py.*Go needs go.mod.*Rust needs Cargo.toml"):
        find_source(str(tmp_path))
    with pytest.raises(SourceFault, match="there is no rust program"):
        find_source(str(tmp_path), language=Language.RUST)
    with pytest.raises(SourceFault, match="neither a folder nor a file"):
        find_source(str(tmp_path / "gone"))


def test_the_python_of_the_project_is_found_from_its_folders(tmp_path: Path) -> None:
    make(tmp_path, ".venv/bin/python", "inner/pyproject.toml", "plain/deep/pipeline.py")

    assert find_python(tmp_path / "plain" / "deep") == tmp_path / ".venv/bin/python"
    assert find_python(tmp_path / "inner") is None
