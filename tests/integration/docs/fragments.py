"""Run the parts of a program as the page about the client shows them: one after the other, with a client at hand."""

import ast
import asyncio
import inspect
import sys

from gofer_sdk.client import GoferClient


async def main() -> None:
    """Run what stands on the standard input, cut by NULs; `await` may stand anywhere."""
    async with GoferClient(sys.argv[1]) as client:
        names: dict[str, object] = {"client": client, "__name__": "fragments"}
        for number, part in enumerate(sys.stdin.read().split("\0"), 1):
            code = compile(part, f"part {number}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            result = eval(code, names)  # noqa: S307 (the code is our own documentation)
            if inspect.isawaitable(result):
                await result


asyncio.run(main())
