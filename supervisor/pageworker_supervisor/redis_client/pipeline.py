"""Several commands in one go."""

from collections.abc import Sequence
from typing import Any


async def run_pipeline(client: Any, commands: Sequence[Sequence[Any]]) -> list[Any]:
    """Replies of commands that one Redis executes in order, not as a transaction. Raises the first error reply.

    As it came: the client's own way puts a sentence before it, and what kind it is stands in its first word.
    """
    async with client.pipeline(transaction=False) as pipe:
        for command in commands:
            pipe.execute_command(*command)
        replies: list[Any] = await pipe.execute(raise_on_error=False)
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return replies
