"""What others wrote can't play tricks on a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer.cli.neutral import LogFilter, plain, shown_log

TRICKS = [
    "\x1b]0;title\x07",
    "\x1b]8;;http://x\x1b\\",
    "\x1b]52;c;aGk=\x07",
    "\x1b[2J",
    "\x1b[1;1H",
    "\x1b[?1049h",
    "\x1b[6n",
    "\x1bPq\x1b\\",
    "\x1bc",
    "\x07",
    "\x08",
    "\x9b2J",
    "\x00",
    "\x7f",
    "\x0b",
]


@pytest.mark.parametrize("trick", TRICKS)
def test_control_sequences_are_taken_out_of_a_log(trick: str) -> None:
    shown = shown_log(f"a{trick}b\n")

    assert "\x1b" not in shown
    assert all(character in "\t\n\r" or character.isprintable() for character in shown)
    assert shown.startswith("a")
    assert shown.endswith("b\n")


def test_colours_tabs_and_line_ends_of_a_log_stay() -> None:
    text = "\x1b[1;31mred\x1b[0m\tand\x1b[38;2;1;2;3m\r\n\x1b[m"

    assert shown_log(text) == text


@pytest.mark.parametrize("trick", [*TRICKS, "\x1b[31m", "\n", "\t", "\r", "\u202e", "\u2066"])
def test_names_stay_on_one_line_without_any_control(trick: str) -> None:
    assert plain(f"a{trick}b").isprintable()


@pytest.mark.fuzz
@given(st.lists(st.sampled_from([*TRICKS, "\x1b[31m", "text", "\n", "ü", "\x1b[", "\x1b"]), max_size=8), st.data())
def test_a_log_is_as_safe_in_chunks_as_in_one(parts: list[str], data: st.DataObject) -> None:
    raw = "".join(parts).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=4)))
    log_filter = LogFilter()

    shown = (
        "".join(log_filter.feed(raw[start:end]) for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True))
        + log_filter.end()
    )

    without_colours = shown.replace("\x1b[31m", "")
    assert all(character in "\t\n\r" or character.isprintable() for character in without_colours)


def test_a_character_that_lies_across_chunks_is_whole() -> None:
    log_filter = LogFilter()

    assert log_filter.feed("ü".encode()[:1]) + log_filter.feed("ü".encode()[1:]) + log_filter.end() == "ü"
    assert log_filter.feed(b"\xff") == "\ufffd"


def test_a_colour_that_lies_across_chunks_is_whole() -> None:
    log_filter = LogFilter()

    assert log_filter.feed(b"a\x1b[3") + log_filter.feed(b"1mb") == "a\x1b[31mb"
