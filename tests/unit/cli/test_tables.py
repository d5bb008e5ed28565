"""Tables fit where they are shown."""

import pytest

from gofer.cli.tables import Cell, Style, cut, render_fields, render_table, width_of

ROWS: list[list[Cell | str]] = [
    ["1", Cell("Failed", Style.BAD), "the container ended with 3"],
    ["200", Cell("Successful", Style.GOOD), ""],
]


def test_columns_are_as_wide_as_they_need() -> None:
    assert render_table(["ID", "State", "Reason"], ROWS, width=80, color=False) == [
        "ID   State       Reason",
        "1    Failed      the container ended with 3",
        "200  Successful",
    ]


def test_the_last_column_gives_way_to_a_narrow_terminal() -> None:
    lines = render_table(["ID", "State", "Reason"], ROWS, width=30, color=False)

    assert lines[1] == "1    Failed      the containe…"
    assert max(map(len, lines)) == 30


def test_where_one_column_is_not_enough_others_follow() -> None:
    lines = render_table(["A", "B"], [["x" * 40, "y" * 40]], width=30, color=False)

    assert lines == ["A                     B", "xxxxxxxxxxxxxxxxxxx…  yyyyyyy…"]


def test_a_column_that_could_say_nothing_any_more_is_left_out_for_the_others() -> None:
    headers, row = ["Task", "State", "Started", "Needs"], ["x" * 20, "Successful", "8 minutes ago", "y" * 30]

    assert render_table(headers, [row], width=49, color=False)[1] == f"{'x' * 20}  Successful  8 minutes ago"
    assert render_table(headers, [row], width=60, color=False)[1].endswith("8 minutes ago  yyyyyyyyyy…")
    # Of three columns none is left out.
    assert render_table(headers, [row], width=40, color=False)[0].split() == ["Task", "State", "Started"]


def test_colours_take_no_room() -> None:
    lines = render_table(["ID", "State", "Reason"], ROWS, width=80, color=True)

    assert lines[1] == "1    \x1b[38;5;196mFailed\x1b[0m      the container ended with 3"
    assert lines[0].startswith("\x1b[1mID\x1b[0m   ")


def test_an_empty_table_is_its_headers() -> None:
    assert render_table(["ID", "State"], [], width=80, color=False) == ["ID  State"]


@pytest.mark.parametrize(("text", "width"), [("abc", 3), ("ü", 1), ("日本", 4), ("e\u0301", 1), ("\u200b", 0)])
def test_characters_are_as_wide_as_terminals_show_them(text: str, width: int) -> None:
    assert width_of(text) == width


def test_a_text_is_cut_by_its_width_on_the_screen() -> None:
    assert cut("日本語", 5) == "日本…"
    assert cut("日本語", 4) == "日…"
    assert cut("abc", 3) == "abc"


def test_what_is_written_by_others_can_not_break_a_table() -> None:
    assert render_table(["A"], [["x\ny\x1b[2J"]], width=80, color=True)[1] == "x y [2J"


def test_fields_stand_below_each_other() -> None:
    rows: list[tuple[str, Cell | str]] = [("ID", "7"), ("State", Cell("Failed", Style.BAD)), ("Tasks", "")]

    assert render_fields(rows, width=80, color=False) == ["ID     7", "State  Failed", "Tasks"]


@pytest.mark.parametrize("style", [style for style in Style if style is not Style.STRONG])
@pytest.mark.parametrize("ground", [0.0, 1.0])
def test_a_colour_can_be_read_on_black_and_on_white(style: Style, ground: float) -> None:
    number = int(style.value.removeprefix("38;5;"))
    levels = (0, 95, 135, 175, 215, 255)
    cube = number - 16
    parts = (
        [8 + 10 * (number - 232)] * 3
        if number >= 232
        else [levels[cube // 36], levels[cube // 6 % 6], levels[cube % 6]]
    )
    linear = [part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in parts]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    light, dark = max(luminance, ground) + 0.05, min(luminance, ground) + 0.05

    assert light / dark >= 3.9
