"""Several commands in one round trip to one server."""

from collections.abc import Sequence
from typing import Any


async def run_pipeline(client: Any, commands: Sequence[Sequence[Any]]) -> list[Any]:
    """The replies of commands that one server runs in order; not a transaction. Raises the first error reply.

    The error is raised as it came: redis-py's own way puts a sentence before it, and its first word tells its kind.
    """
    async with client.pipeline(transaction=False) as pipe:
        for command in commands:
            pipe.execute_command(*command)
        replies: list[Any] = await pipe.execute(raise_on_error=False)
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return replies
