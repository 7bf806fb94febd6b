"""The test agent: runs in a sandbox in the place of the runner, and executes the Python code that a test sends.

A request and an answer are each a length (u32, big endian) and JSON. The agent imports only what a runner has.
"""

import argparse
import ast
import asyncio
import json
import socket
import struct
from typing import Any

HEADER = struct.Struct("!I")


async def serve(sock: socket.socket, names: dict[str, Any]) -> None:
    """Serve until the test closes its end."""
    loop = asyncio.get_running_loop()
    sock.setblocking(False)
    while header := await loop.sock_recv(sock, HEADER.size):
        (length,) = HEADER.unpack(header)
        body = b""
        while len(body) < length:
            body += await loop.sock_recv(sock, length - len(body))
        answer = json.dumps(await run(json.loads(body)["code"], names)).encode()
        await loop.sock_sendall(sock, HEADER.pack(len(answer)) + answer)


async def run(code: str, names: dict[str, Any]) -> dict[str, Any]:
    """The value of `answer` after the code ran, or the error it raised."""
    names["answer"] = None
    compiled = compile(code, "<test>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    try:
        result = eval(compiled, names)
        if result is not None:
            await result
    except BaseException as error:  # noqa: BLE001 - whatever a test's code raises is its answer
        return {"error": type(error).__name__, "errno": getattr(error, "errno", None), "text": str(error)}
    return {"answer": names["answer"]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--channel-fd", type=int, required=True)
    parser.add_argument("--filter-fd", type=int)
    parser.add_argument("--dialer-fd", type=int)
    parser.add_argument("--gateway-fd", type=int)
    arguments = parser.parse_args()
    channel = socket.socket(fileno=arguments.channel_fd)
    asyncio.run(serve(channel, {**vars(arguments), "channel": channel}))
