"""How far something large has come, as a bar on a terminal."""

from collections.abc import AsyncGenerator, AsyncIterable

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from gofer.cli.neutral import plain
from gofer.cli.output import Output


async def shown(
    pieces: AsyncIterable[bytes], output: Output, *, title: str, total_bytes: int | None
) -> AsyncGenerator[bytes, None]:
    """Yield the pieces, and show on the standard error how many bytes they were; the bar is taken away at the end.

    Without `total_bytes` nobody knows how many there will be.
    """
    console = Console(file=output.stderr, no_color=output.no_color, highlight=False, markup=False)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(plain(title), total=total_bytes)
        async for piece in pieces:
            yield piece
            bar.advance(task, len(piece))
