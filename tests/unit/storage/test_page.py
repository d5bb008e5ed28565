import base64
import json

import pytest

from gofer.core.errors import InvalidInput
from gofer.storage.page import Listed, Page, cut


def cursor_of(*place: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def test_no_limit_means_the_cap() -> None:
    assert Page().size == 200


@pytest.mark.parametrize(("limit", "size"), [(1, 1), (49, 49), (50, 50), (51, 50), (2**63 - 1, 50)])
def test_the_limit_is_held_under_the_cap(limit: int, size: int) -> None:
    assert Page(limit=limit).capped(50).size == size


def test_every_negative_number_is_named() -> None:
    with pytest.raises(InvalidInput) as refused:
        Page(limit=-1, offset=-5)

    assert refused.value.faults == ("limit -1 is negative: use 0 or more", "offset -5 is negative: use 0 or more")


def test_a_cursor_beats_an_offset() -> None:
    assert Page(offset=3).skip == 3
    assert Page(offset=3, cursor="x").skip == 0


def test_a_page_with_more_behind_it_ends_in_a_cursor_to_go_on_from() -> None:
    listed = cut([9, 8, 7], Page(limit=2), lambda last: (last,))

    assert listed.items == (9, 8)
    assert Page(cursor=listed.next_cursor).after((int,)) == (8,)


def test_the_last_page_has_no_cursor() -> None:
    assert cut([9, 8], Page(limit=2), lambda last: (last,)) == Listed(items=(9, 8), next_cursor="")


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "!!!!",
        "\u00e9\u00e9\u00e9\u00e9",
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        base64.urlsafe_b64encode(b"[" * 100_000).decode(),
        cursor_of(),
        cursor_of("7"),
        cursor_of(7, 7),
        cursor_of(*[True]),
        cursor_of(None),
        cursor_of(1.5),
        cursor_of(2**63),
        cursor_of(-(2**63) - 1),
        base64.urlsafe_b64encode(b'{"a": 1}').decode(),
        base64.urlsafe_b64encode(b"7").decode(),
    ],
)
def test_a_made_up_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidInput, match="cursor is not one"):
        Page(cursor=cursor).after((int,))


@pytest.mark.parametrize("text", ["\ud800", "\u00e9"])
def test_a_cursor_with_text_that_no_id_holds_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="cursor is not one"):
        Page(cursor=cursor_of(text)).after((str,))


def test_the_greatest_offset_of_the_wire_leaves_room_for_the_size_of_the_page() -> None:
    """Both are added up, and the sum was more than Python's slices take."""
    page = Page(offset=(1 << 63) - 1, limit=200)

    assert page.skip + page.size + 1 < 1 << 63
