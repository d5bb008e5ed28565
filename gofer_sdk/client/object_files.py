"""Files as what is put into the object store, and as where objects go."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias, cast

Content: TypeAlias = bytes | Path | BinaryIO | AsyncIterable[bytes]
"""What an object is made of: bytes, the file at a path, an open file from where it stands, or pieces of any size."""

PIECE_BYTES: Final = 1024 * 1024
"""How much of an object goes in one message."""

_NEW: Final = "xb"
"""How a file is opened that is not to be there yet."""


async def pieces_of(content: Content) -> AsyncGenerator[bytes, None]:
    """Yield content in pieces of at most 1 MiB, none of them empty.

    Files are read piece by piece in another thread; only a file that was given by its path is closed at the end.
    Raises TypeError where it is none or gives no bytes, OSError, and what the content raises by itself.
    """
    if not isinstance(content, bytes | Path | AsyncIterable) and not hasattr(content, "read"):
        kind = type(content).__name__
        raise TypeError(
            f"the content is a {kind}: give bytes, a Path, a file that is open, or pieces that come by and by"
        )
    async with aclosing(_parts_of(content)) as parts:
        async for part in parts:
            if not isinstance(part, bytes):
                raise TypeError(
                    f"the content gives {type(part).__name__} and no bytes: open a file with 'rb', encode a text"
                )
            for start in range(0, len(part), PIECE_BYTES):
                yield part[start : start + PIECE_BYTES]


async def _parts_of(content: Content) -> AsyncGenerator[bytes, None]:
    if isinstance(content, bytes):
        yield content
    elif isinstance(content, AsyncIterable):
        async for part in content:
            yield part
    else:
        file = await _opened(content, "rb") if isinstance(content, Path) else content
        try:
            while part := await asyncio.to_thread(file.read, PIECE_BYTES):
                yield part
        finally:
            if file is not content:
                file.close()


async def write_file(path: Path, content: AsyncIterable[bytes]) -> None:
    """Write content to a file, which takes the place of what is at the path only when it is whole.

    What is no regular file, such as a pipe, is written to as it is. Raises OSError, and what the content raises; then
    nothing is left of it.
    """
    target = await asyncio.to_thread(path.resolve)
    if await asyncio.to_thread(lambda: target.exists() and not target.is_file()):
        await _write(target, content, mode="wb")
        return
    part = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}.part")
    try:
        await _write(part, content, mode=_NEW)
        await asyncio.to_thread(part.replace, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


async def _write(path: Path, content: AsyncIterable[bytes], *, mode: str) -> None:
    file = await _opened(path, mode)
    try:
        async for piece in content:
            await asyncio.to_thread(file.write, piece)
    finally:
        await asyncio.to_thread(file.close)


async def _opened(path: Path, mode: str) -> BinaryIO:
    """Open a file in another thread; where the wait is cancelled, undo that when the thread has done it."""

    def undo(done: "asyncio.Future[BinaryIO]") -> None:
        if done.exception() is None:
            done.result().close()
            if mode == _NEW:
                path.unlink(missing_ok=True)

    opening = asyncio.get_running_loop().run_in_executor(None, lambda: cast("BinaryIO", path.open(mode)))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(undo)
        raise
