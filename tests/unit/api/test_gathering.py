"""What one turn of the loop writes goes out as one piece, and nothing of it is lost."""

import asyncio

from gofer.api.gathering import MOST_WAITING_BYTES, GatheringTransport


class Kept(asyncio.Transport):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[bytes | str] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.said.append(bytes(data))

    def close(self) -> None:
        self.said.append("close")

    def abort(self) -> None:
        self.said.append("abort")

    def is_closing(self) -> bool:
        return "close" in self.said

    def get_write_buffer_size(self) -> int:
        return 7

    def get_extra_info(self, name: str, default: object = None) -> object:
        return name if name == "socket" else default


async def test_what_one_turn_writes_goes_out_as_one_piece_in_order() -> None:
    below = Kept()
    transport = GatheringTransport(below)

    for part in (b"one ", b"", bytearray(b"two "), memoryview(b"three")):
        transport.write(part)
    before = list(below.said)
    await asyncio.sleep(0)
    transport.write(b"next turn")
    await asyncio.sleep(0)

    assert before == []
    assert below.said == [b"one two three", b"next turn"]


async def test_what_is_to_go_now_goes_after_what_waits_and_before_the_turn_ends() -> None:
    below = Kept()
    transport = GatheringTransport(below)

    transport.write_now(b"first")
    transport.write(b"second")
    transport.write_now(b"third")
    before = list(below.said)
    await asyncio.sleep(0)

    assert before == [b"first", b"second", b"third"]
    assert below.said == before


async def test_a_buffer_that_is_changed_after_it_was_written_is_sent_as_it_was() -> None:
    below = Kept()
    transport = GatheringTransport(below)
    data = bytearray(b"before")

    transport.write(data)
    data[:] = b"after!"
    await asyncio.sleep(0)

    assert below.said == [b"before"]


async def test_much_is_sent_at_once() -> None:
    below = Kept()
    transport = GatheringTransport(below)

    transport.write(b"x" * MOST_WAITING_BYTES)

    assert below.said == [b"x" * MOST_WAITING_BYTES]


async def test_what_waits_counts_as_buffered() -> None:
    transport = GatheringTransport(Kept())

    transport.write(b"12345")

    assert transport.get_write_buffer_size() == 12


async def test_a_close_sends_what_waits_first() -> None:
    below = Kept()
    transport = GatheringTransport(below)

    transport.write(b"last words")
    transport.close()
    await asyncio.sleep(0)

    assert below.said == [b"last words", "close"]
    assert transport.is_closing()


async def test_an_abort_drops_what_waits() -> None:
    below = Kept()
    transport = GatheringTransport(below)

    transport.write(b"last words")
    transport.abort()
    await asyncio.sleep(0)

    assert below.said == ["abort"]


async def test_the_rest_is_the_other_transports_own() -> None:
    transport = GatheringTransport(Kept())

    assert transport.get_extra_info("socket") == "socket"
    assert transport.get_extra_info("peername", "nobody") == "nobody"
