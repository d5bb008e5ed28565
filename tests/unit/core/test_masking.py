import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gofer.core.masking import Masker, masked_values
from gofer.core.secret import Secret
from tests.fakes.plain_masking import by_the_whole_text

KEY = "-----BEGIN KEY-----\nabcdefghijkl\nmnop\n-----END KEY-----\n"


def masked(*chunks: bytes, secrets: tuple[str, ...]) -> bytes:
    masker = Masker(map(Secret, secrets))
    return b"".join([*map(masker.feed, chunks), masker.finish()])


def test_a_value_is_masked_wherever_it_stands() -> None:
    assert b"***a***\n***" == masked(b"hunter22ahunter22\nhunter22", secrets=("hunter22",))


def test_a_value_is_masked_across_chunk_borders() -> None:
    assert b"pw=*** ok" == masked(b"pw=hun", b"t", b"er22 ok", secrets=("hunter22",))


@pytest.mark.parametrize("value", ["", "a", "abc", "äöü", "  \n"])
def test_values_of_less_than_four_characters_are_not_masked(value: str) -> None:
    assert value.encode() * 3 == masked(value.encode() * 3, secrets=(value,))


def test_four_characters_are_enough_even_where_they_are_many_bytes() -> None:
    assert b"*** ***" == masked("äöüß abcd".encode(), secrets=("äöüß", "abcd"))


def test_the_longest_of_the_values_at_one_place_is_masked() -> None:
    assert b"***!" == masked(b"hunter", b"22!", secrets=("hunter", "hunter22"))
    assert b"***2!" == masked(b"hunter", b"2!", secrets=("hunter", "hunter22"))


def test_what_is_part_of_a_masked_value_does_not_begin_another() -> None:
    masker = Masker([Secret("abcd"), Secret("cdef")])

    assert b"***" == masker.feed(b"abcd")
    assert b"ef" == masker.feed(b"ef")


def test_a_long_beginning_that_goes_wrong_may_hold_a_shorter_one() -> None:
    masker = Masker([Secret("abababababbb")])

    assert b"ababab" == masker.feed(b"abababababababab")
    assert b"***" == masker.feed(b"bb")


def test_a_value_of_several_lines_is_masked_as_one_whatever_ends_its_lines() -> None:
    assert b"key: ***\nend" == masked(b"key: " + KEY.encode() + b"end", secrets=(KEY,))
    assert b"key: ***\r\nend" == masked(b"key: " + KEY.replace("\n", "\r\n").encode() + b"end", secrets=(KEY,))


def test_longer_lines_of_a_value_are_masked_by_themselves_and_shorter_ones_are_not() -> None:
    assert b"1 ***\n2 mnop\n" == masked(b"1 abcdefghijkl\n2 mnop\n", secrets=(KEY,))


def test_white_space_around_a_value_is_no_part_of_it() -> None:
    assert b"***\n" == masked(b"hunter22\n", secrets=("hunter22\n",))
    assert b"a***b" == masked(b"a  x \n b", secrets=("  x \n ",))


def test_output_that_is_no_text_goes_through_unchanged() -> None:
    data = bytes(range(256)) * 3

    assert data == masked(data, secrets=("hunter22",))
    assert data == masked(data, secrets=())


def test_only_what_may_become_a_value_is_kept_back() -> None:
    masker = Masker([Secret("hunter22")])

    assert b"hello " == masker.feed(b"hello hunt")
    assert 4 == masker.held_bytes
    assert b"hunting" == masker.feed(b"ing")
    assert 0 == masker.held_bytes
    assert b"" == masker.finish()


def test_without_values_nothing_is_kept_back() -> None:
    masker = Masker([])

    assert b"hunt" == masker.feed(b"hunt")
    assert 0 == masker.held_bytes


def test_a_finished_masker_begins_anew() -> None:
    masker = Masker([Secret("hunter22")])
    masker.feed(b"hunter")

    assert b"hunter" == masker.finish()
    assert b"22" == masker.feed(b"22")


def test_a_value_that_repeats_itself_costs_time_in_proportion() -> None:
    """A search that begins again at every byte would take hours for this."""
    masker = Masker([Secret("x" * 100_000 + "y")])

    given_out = sum(len(masker.feed(b"x" * 65_536)) for _ in range(8)) + len(masker.finish())

    assert 8 * 65_536 == given_out


values = st.lists(st.text("ab\n", min_size=4, max_size=24), max_size=4)


@pytest.mark.fuzz
@given(values, st.lists(st.binary(max_size=4) | st.text("ab\n", max_size=20).map(str.encode)))
@example(["abaab"], [b"abaa", b"baab"])
@example(["abababababbb"], [b"ababababababab", b"ababbb"])
@example(["aabaaabaaabaaabb"], [b"aabaaabaaabaaabaaabaa", b"abaaabaaabb"])
def test_however_a_stream_is_cut_it_is_masked_like_the_whole(secrets: list[str], chunks: list[bytes]) -> None:
    expected = masked_values(map(Secret, secrets))
    masker = Masker(map(Secret, secrets))

    out = b""
    for number, chunk in enumerate(chunks):
        out += masker.feed(chunk)
        assert masker.held_bytes < max(map(len, expected), default=1)
        assert by_the_whole_text(b"".join(chunks[: number + 1]), expected).startswith(out) or masker.held_bytes
    out += masker.finish()

    assert by_the_whole_text(b"".join(chunks), expected) == out
    assert 0 == masker.held_bytes
