"""Rotates the key below a folder, and says after each batch how much is done; somebody kills it meanwhile.

python -m tests.integration.recovery.rotating FOLDER
"""

import asyncio
import sys
from pathlib import Path

from tests.service.test_key_rotation import ADMIN, NEW, OLD, server


async def main(folder: Path) -> None:
    async with server(folder, NEW, OLD) as it:
        async for progress in it.rotation.run(ADMIN):
            print(progress.done, progress.resealed, flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
