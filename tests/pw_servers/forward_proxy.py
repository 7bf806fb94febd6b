"""Real forward proxies: HTTP CONNECT, the same inside TLS, SOCKS 5. They record what they are asked, and can fail.

`answer` changes what a proxy does from the next connection on. `die` and `come_back` keep the port.
"""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal

from pw_servers.certificates import Certificates

Kind = Literal["http", "https", "socks5"]
Answer = Literal["serve", "nonsense", "close", "silent", "close_after_target", "silent_after_target", "target_down"]
Way = Callable[[str, int], tuple[str, int]]
FORBIDDEN = b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"


def directly(host: str, port: int) -> tuple[str, int]:
    """The target itself."""
    return host, port


@dataclass(eq=False)
class ForwardProxy:
    """One proxy on loopback."""

    kind: Kind
    way: Way = directly
    """Where connections to a target really go."""
    login: tuple[str, str] | None = None
    """User name and password that it wants."""
    certificates: Certificates | None = None
    """For `https`."""
    answer: Answer = "serve"
    port: int = 0
    asked: list[str] = field(default_factory=list)
    """Targets of the requests that it accepted, as `host:port`, in their order."""
    logins: list[str] = field(default_factory=list)
    """`user:password` of each request or greeting, empty without one."""
    connections: int = 0
    probes: int = 0
    """Questions that concern the proxy alone (OPTIONS)."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set with each connection."""
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def endpoint(self) -> str:
        """`127.0.0.1:port`."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """As a policy names it."""
        return f"{self.kind}://{self.endpoint}"

    async def come_back(self) -> None:
        """Listen, on the port that it had before."""
        context = None
        if self.kind == "https":
            assert self.certificates is not None
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificates.certificate, self.certificates.key)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=context, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]

    def die(self) -> None:
        """Stop listening, and reset every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.changed.set()
        self._open.add(writer)
        try:
            await self._answer(reader, writer)
        except (OSError, EOFError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            # It stays in `_open`: to close TLS politely may take longer than the loop lives.
            writer.transport.abort() if writer.is_closing() else writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        match self.answer:
            case "nonsense":
                await reader.read(1)
                writer.write(b"220 mail.example ESMTP\r\n")
                await writer.drain()
            case "close":
                await reader.read(1)
            case "silent":
                await reader.read()
            case _ if self.kind == "socks5":
                await self._socks5(reader, writer)
            case _:
                await self._http(reader, writer)

    async def _http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        basic = fields.get("proxy-authorization", "").removeprefix("Basic ")
        login = base64.b64decode(basic).decode()
        self.logins.append(login)
        if self.login is not None and login != ":".join(self.login):
            writer.write(FORBIDDEN)
            await writer.drain()
        elif method == "OPTIONS":
            self.probes += 1
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
        elif method == "CONNECT":
            host, _, port = target.rpartition(":")
            if not await self._stumbles(f"{host}:{port}", reader):
                far = await self._reach(host.strip("[]"), int(port))
                writer.write(b"HTTP/1.1 502 Bad Gateway\r\n\r\n" if far is None else b"HTTP/1.1 200 Yes\r\n\r\n")
                await writer.drain()
                if far is not None:
                    await self._relay(reader, writer, *far)
        else:
            authority, slash, path = target.removeprefix("http://").partition("/")
            host, _, port = authority.partition(":")
            if not await self._stumbles(f"{host}:{port or 80}", reader):
                far = await self._reach(host, int(port or 80))
                if far is None:
                    writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
                    await writer.drain()
                    return
                kept = [line for line in lines if not line.lower().startswith(("proxy-", "connection:"))]
                far[1].write(
                    "\r\n".join([f"{method} {slash}{path} HTTP/1.1", *kept, "Connection: close", "", ""]).encode()
                )
                await self._relay(reader, writer, *far)

    async def _socks5(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        wanted = 0 if self.login is None else 2
        writer.write(bytes((5, wanted if wanted in methods else 0xFF)))
        if wanted not in methods:
            return await writer.drain()
        if wanted:
            user = await reader.readexactly((await reader.readexactly(2))[1])
            password = await reader.readexactly((await reader.readexactly(1))[0])
            self.logins.append(f"{user.decode()}:{password.decode()}")
            right = self.logins[-1] == ":".join(self.login or ())
            writer.write(bytes((1, int(not right))))
            if not right:
                return await writer.drain()
        *_, kind = await reader.readexactly(4)
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            host = str(ip_address(await reader.readexactly({1: 4, 4: 16}[kind])))
        port = int.from_bytes(await reader.readexactly(2), "big")
        if not await self._stumbles(f"{host}:{port}", reader):
            far = await self._reach(host, port)
            writer.write(bytes((5, 0 if far is not None else 5, 0, 1)) + bytes(6))
            await writer.drain()
            if far is not None:
                await self._relay(reader, writer, *far)
        return None

    async def _stumbles(self, target: str, reader: asyncio.StreamReader) -> bool:
        """Record a request, and fail it where that was asked for."""
        self.asked.append(target)
        if self.answer == "silent_after_target":
            await reader.read()
        return self.answer in ("close_after_target", "silent_after_target")

    async def _reach(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        if self.answer == "target_down":
            return None
        try:
            return await asyncio.open_connection(*self.way(host, port))
        except OSError:
            return None

    async def _relay(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        far_reader: asyncio.StreamReader,
        far_writer: asyncio.StreamWriter,
    ) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                upload = group.create_task(_pump(reader, far_writer))
                await _pump(far_reader, writer)
                upload.cancel()
        except* OSError:
            pass
        finally:
            far_writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    if not writer.is_closing() and writer.can_write_eof():
        writer.write_eof()


@contextlib.asynccontextmanager
async def forward_proxy(
    kind: Kind,
    way: Way = directly,
    *,
    login: tuple[str, str] | None = None,
    certificates: Certificates | None = None,
) -> AsyncIterator[ForwardProxy]:
    """A proxy for the block, on a free port of loopback."""
    proxy = ForwardProxy(kind, way, login, certificates)
    await proxy.come_back()
    try:
        yield proxy
    finally:
        proxy.die()
