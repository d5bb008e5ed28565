from datetime import timedelta

from gofer.core.access import Caller, Token, TokenHash, TokenId, TokenKind
from gofer.services.tokens import Tokens
from gofer.sqlite import Database
from gofer.storage.page import Page
from gofer.storage.unit import Unit
from tests.factories import NOW


def make(number: int) -> Token:
    return Token(
        id=TokenId(f"{number:012}"),
        kind=TokenKind.MANAGEMENT if number % 2 else TokenKind.CLIENT,
        namespaces=(),
        metadata={},
        created_at=NOW,
        expires_at=NOW + timedelta(hours=1),
    )


async def test_a_page_reads_no_more_tokens_than_it_needs(database: Database[Unit], caller: Caller) -> None:
    """The last token can't be read: whoever reads all of them fails."""

    def write(unit: Unit) -> None:
        for number in range(6):
            unit.tokens.insert(make(number), TokenHash(f"{number:064}"))
        unit.tokens._connection.execute("UPDATE tokens SET metadata = 'no JSON' WHERE place = 6")  # noqa: SLF001

    await database.write(write)
    tokens = Tokens(database=database)

    first = await tokens.list(caller, "", Page(limit=2), everywhere=True)
    second = await tokens.list(caller, "", Page(limit=2, cursor=first.next_cursor), everywhere=True)

    assert [make(number) for number in range(4)] == [*first.items, *second.items]


async def test_a_page_is_full_however_many_tokens_between_are_not_shown(database: Database[Unit]) -> None:
    own = make(0)
    caller = Caller(name="one of many", is_admin=False, token=own.id)

    def write(unit: Unit) -> None:
        for number in (1, 3, 5, 7, 0):
            unit.tokens.insert(make(number), TokenHash(f"{number:064}"))

    await database.write(write)

    listed = await Tokens(database=database).list(caller, "", Page(limit=1), everywhere=True)

    assert ((own,), "") == (listed.items, listed.next_cursor)
