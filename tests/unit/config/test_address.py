import pytest

from gofer.config.address import Address


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("localhost:8080", "localhost", 8080), ("[::1]:0", "::1", 0), ("0.0.0.0:65535", "0.0.0.0", 65535)],
)
def test_host_and_port_are_read_and_written_the_same_way(text: str, host: str, port: int) -> None:
    address = Address.parse(text)

    assert Address(host=host, port=port) == address
    assert text == str(address)


@pytest.mark.parametrize(
    "text",
    ["localhost", ":8080", "localhost:", "localhost:x", "localhost:65536", "::1:80", "[::1:80", "a b:1", "[x]:1"],
)
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="such as"):
        Address.parse(text)


def test_a_url_is_told_to_be_one() -> None:
    with pytest.raises(ValueError, match="leave out what stands before the host, with its ://"):
        Address.parse("https://localhost:8080")


@pytest.mark.parametrize("text", ["bücher.example:1", "a\x1b[31m:1", "a\nb:1"])
def test_a_host_that_no_certificate_can_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        Address.parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost:1", True),
        ("127.3.2.1:1", True),
        ("[::1]:1", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("example.org:1", False),
        ("172.17.0.1:1", False),
    ],
)
def test_loopback_is_what_only_this_machine_reaches(text: str, *, expected: bool) -> None:
    assert Address.parse(text).is_loopback is expected
