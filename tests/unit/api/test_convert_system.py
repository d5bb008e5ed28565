import pytest

from gofer import __version__
from gofer.api.convert.system import semver_of


@pytest.mark.parametrize(
    ("version", "semver"),
    [("1.0.0", "1.0.0"), ("1.0.0.dev0", "1.0.0-dev.0"), ("1.2.3rc1", "1.2.3-rc.1"), ("0.7.12b4", "0.7.12-b.4")],
)
def test_versions_are_told_in_the_form_that_clients_know(version: str, semver: str) -> None:
    assert semver_of(version) == semver


def test_our_own_version_has_that_form() -> None:
    assert semver_of(__version__).partition("-")[0].replace(".", "").isdigit()
