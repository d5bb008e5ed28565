"""Where a server is, as people write it."""

import pytest

from gofer_sdk.client import ServerAddress


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("localhost:8080", "localhost", 8080),
        (" gofer.example.com ", "gofer.example.com", 443),
        ("10.0.0.7:9", "10.0.0.7", 9),
        ("[::1]:8080", "::1", 8080),
        ("[fe80::1]", "fe80::1", 443),
        ("::1", "::1", 443),
    ],
)
def test_a_server_may_be_written_with_or_without_a_port(text: str, host: str, port: int) -> None:
    assert ServerAddress.parse(text) == ServerAddress(host=host, port=port)


@pytest.mark.parametrize(
    "text",
    ["", ":8080", "localhost:", "localhost:0", "localhost:99999", "localhost:http", "https://localhost:8080", "a b"],
)
def test_what_is_no_server_is_refused_with_the_forms_that_are(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no server: write host:port, such as localhost:8080, or \[::1\]:8080"):
        ServerAddress.parse(text)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "::1"])
def test_on_this_machine_nothing_is_verified(host: str) -> None:
    assert not ServerAddress(host=host, port=8080).is_verified


@pytest.mark.parametrize("host", ["127.0.0.2", "localhost.example.com", "gofer", "::2"])
def test_everywhere_else_the_certificate_must_verify(host: str) -> None:
    assert ServerAddress(host=host, port=8080).is_verified


def test_an_address_is_written_as_it_can_be_read() -> None:
    for text in ("localhost:8080", "[::1]:8080"):
        assert str(ServerAddress.parse(text)) == text
