import copy
import json
import pickle
from dataclasses import asdict, dataclass

import pytest

from gofer.core.secret import Secret

VALUE = "hunter22"


@dataclass(frozen=True)
class Holder:
    secret: Secret


@pytest.mark.parametrize(
    "text",
    [
        str(Secret(VALUE)),
        repr(Secret(VALUE)),
        f"{Secret(VALUE)}",
        f"{Secret(VALUE)!r:>20}",
        f"{Secret(VALUE):>20}",
        "%s" % Secret(VALUE),  # noqa: UP031 (this is what is tested)
        repr([Secret(VALUE)]),
        repr(Holder(Secret(VALUE))),
        str(asdict(Holder(Secret(VALUE)))),
        json.dumps(Secret(VALUE), default=str),
    ],
)
def test_a_secret_shows_stars_in_any_text(text: str) -> None:
    assert "***" in text
    assert VALUE not in text


def test_only_reveal_gives_the_value() -> None:
    assert VALUE == Secret(VALUE).reveal()
    assert not hasattr(Secret(VALUE), "__dict__")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_is_not_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="can't be pickled"):
        pickle.dumps(Secret(VALUE), protocol)


def test_a_secret_is_no_string() -> None:
    with pytest.raises(TypeError):
        "".join([Secret(VALUE)])  # type: ignore[list-item]  # this is what is tested
    with pytest.raises(TypeError):
        json.dumps(Secret(VALUE))


def test_a_copy_of_a_secret_is_the_secret() -> None:
    secret = Secret(VALUE)

    assert secret is copy.copy(secret) is copy.deepcopy([secret])[0]


def test_secrets_compare_by_value_and_never_equal_their_text() -> None:
    assert Secret(VALUE) == Secret(VALUE)
    assert hash(Secret(VALUE)) == hash(Secret(VALUE))
    assert Secret("é\udc80") == Secret("é\udc80") != Secret(VALUE)
    assert Secret(VALUE) != VALUE
