"""Upstream proxies that send every connection to one origin and record what they were asked."""

import asyncio
from collections.abc import Callable

from pw_egress.origin import Handler, Origin


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


async def _join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.TaskGroup() as group:
        group.create_task(_pump(reader, far_writer))
        group.create_task(_pump(far_reader, writer))


def http_proxy(port: int, answer: bytes = b"HTTP/1.1 200 Yes\r\n\r\n") -> Callable[[Origin], Handler]:
    """Answers CONNECT; anything else is passed on as it is."""

    def handler(proxy: Origin) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await proxy.head(reader)
            if head.startswith(b"CONNECT "):
                writer.write(answer)
                if b" 200 " in answer:
                    await _join(reader, writer, port)
            else:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nproxy")
                await writer.drain()

        return handle

    return handler


def socks_proxy(port: int, reply: int = 0) -> Callable[[Origin], Handler]:
    """RFC 1928 with user name and password (RFC 1929), recording `user:password` and the raw address."""

    def handler(proxy: Origin) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            version, count = await reader.readexactly(2)
            method = max(await reader.readexactly(count))
            assert version == 5
            writer.write(bytes((5, method)))
            if method == 2:
                user = await reader.readexactly((await reader.readexactly(2))[1])
                password = await reader.readexactly((await reader.readexactly(1))[0])
                proxy.heads.append(user + b":" + password)
                writer.write(b"\x01\x00")
            *_, kind = await reader.readexactly(4)
            length = {1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0]
            proxy.heads.append(await reader.readexactly(length + 2))
            writer.write(bytes((5, reply, 0, 1, 0, 0, 0, 0, 0, 0)))
            if reply == 0:
                await _join(reader, writer, port)

        return handle

    return handler
