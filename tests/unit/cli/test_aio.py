"""What becomes of a command's errors."""

from pathlib import Path

import pytest
import typer

from gofer.cli.aio import errors_told
from gofer.cli.context import CliContext
from gofer.config.client_flags import ClientFlags
from gofer_sdk import errors


@pytest.mark.parametrize(
    ("error", "status", "hint"),
    [
        (errors.Untrusted("no"), 5, "--tls-ca PATH trusts"),
        (errors.Unavailable("no"), 5, "gofer service start --dev-mode starts a server here"),
        (errors.PermissionDenied("no"), 4, "gofer context tells who you are here"),
        (ExceptionGroup("several", [errors.NotFound("no")]), 3, ""),
        (ValueError("no"), 1, ""),
    ],
)
def test_an_error_has_its_words_its_status_and_what_mends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], error: Exception, status: int, hint: str
) -> None:
    cli = CliContext(flags=ClientFlags(), environment={}, home=tmp_path)

    with pytest.raises(typer.Exit) as ended, errors_told(cli):
        raise error

    told, *more = capsys.readouterr().err.splitlines()
    assert ended.value.exit_code == status
    assert told in {"x no", "x gofer itself failed: ValueError: no"}
    assert hint in "".join(more)


def test_what_is_typers_own_comes_out_of_a_group_as_it_is(tmp_path: Path) -> None:
    cli = CliContext(flags=ClientFlags(), environment={}, home=tmp_path)

    with pytest.raises(BrokenPipeError), errors_told(cli):
        raise ExceptionGroup("several", [BrokenPipeError()])
