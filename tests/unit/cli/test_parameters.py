"""Values are read as Typer would read them, in fewer imports."""

from typing import Annotated

import pytest
import typer

from gofer.cli.commands.options import group
from gofer.cli.parameters import plain_command


def run(*arguments: str) -> dict[str, object]:
    """Run a command that has parameters of all kinds; return what it got."""
    seen: dict[str, object] = {}
    app = group("Try.")

    @app.command()
    def try_it(  # the kinds that the commands use
        text: Annotated[str, typer.Argument()],
        *,
        number: Annotated[int, typer.Option(min=1)] = 7,
        words: Annotated[list[str], typer.Option("--word", default_factory=list)],
        flag: bool = False,
        maybe: Annotated[str | None, typer.Option()] = None,
        share: float = 0.5,
    ) -> None:
        seen.update(text=text, number=number, words=words, flag=flag, maybe=maybe, share=share)

    @app.callback()
    def root() -> None:
        pass

    assert plain_command(app).main(args=["try-it", *arguments], prog_name="try", standalone_mode=False) is None
    return seen


def test_defaults_are_what_they_are() -> None:
    assert run("x") == {"text": "x", "number": 7, "words": [], "flag": False, "maybe": None, "share": 0.5}


def test_all_kinds_of_values_are_read() -> None:
    given = ["x", "--number", "12", "--word", "a,b", "--word", "", "--flag", "--maybe", "m", "--share", "1.5"]

    assert run(*given) == {
        "text": "x",
        "number": 12,
        "words": ["a,b", ""],
        "flag": True,
        "maybe": "m",
        "share": 1.5,
    }


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["x", "--number", "one"], "'one' is not a whole number"),
        (["x", "--number", "0"], "0 is too small: at least 1"),
        (["x", "--share", "much"], "valid number"),
        ([], "Missing parameter: text"),
    ],
)
def test_what_is_no_value_is_refused(arguments: list[str], expected: str) -> None:
    with pytest.raises(Exception, match=expected) as refused:
        run(*arguments)

    assert type(refused.value).__module__.startswith("typer.")
