"""Let the pipeline of examples/script count to the number that is given, and show how it goes."""

import asyncio
import os
import sys
from contextlib import aclosing

from gofer_sdk import errors, proto
from gofer_sdk.client import GoferClient

HOST = os.environ.get("GOFER_CLI_HOST", "localhost:8080")


async def count(client: GoferClient, limit: int) -> bool:
    started = await client.runs.start("script", variables={"LIMIT": str(limit)}, request_id=f"count-to-{limit}")
    run = started.run.id
    print(f"run {run} was {'there already' if started.existing else 'started'}")

    async with aclosing(client.task_runs.logs("script", run, "count")) as chunks:
        async for chunk in chunks:
            sys.stdout.buffer.write(chunk.data)
            sys.stdout.flush()

    ended = await client.runs.wait("script", run)
    print(f"run {run} has ended: {ended.status.name}")
    return ended.status == proto.RunRunStatus.SUCCESSFUL


async def main() -> int:
    try:
        async with GoferClient(HOST) as client:
            return 0 if await count(client, int(sys.argv[1])) else 1
    except errors.NotFound as error:
        print(f"{error}; gofer up examples/script registers it", file=sys.stderr)
    except errors.CallFailed as error:
        print(error, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
