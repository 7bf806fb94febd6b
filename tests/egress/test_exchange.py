"""Plain HTTP through a runner's proxy: what the origin gets, what the runner gets."""

import asyncio
import socket
import struct
from collections.abc import Callable

import h11
import pytest
from pw_egress.client import ask, client, get
from pw_egress.origin import OK, Handler, Origin, answering, closing, serving
from pw_egress.running_proxy import running, to

from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.wire.request_failure import RequestFailure


async def test_a_request_is_rewritten_and_its_connection_kept_on_both_sides() -> None:
    async with serving(answering()) as origin, running(to(origin.port)) as proxy, client(proxy.port) as runner:
        for _ in range(3):
            response = await runner.ask(
                get(
                    "http://user.shop.test:80/a?b=c#d".replace("user.", ""),
                    "Proxy-Connection: keep-alive",
                    "Proxy-Authorization: Basic c2VjcmV0",
                    "Connection: close-not, X-Private",
                    "X-Private: 1",
                    "Keep-Alive: 5",
                    "TE: trailers",
                    "Upgrade: h2c",
                    "X-Kept: Yes",
                )
            )
            assert (response.status, response.body) == (200, b"ok")
        assert origin.heads == [b"GET /a?b=c HTTP/1.1\r\nHost: shop.test\r\nX-Kept: Yes\r\n\r\n"] * 3
        assert origin.connections == 1


async def test_the_request_line_decides_about_the_host() -> None:
    async with serving(answering()) as origin, running(to(origin.port)) as proxy:
        request = b"GET http://SHOP.test./ HTTP/1.1\r\nHost: internal.test\r\n\r\n"
        assert (await ask(proxy.port, request)).status == 200
        assert b"Host: shop.test\r\n" in origin.heads[0]
        assert b"internal" not in origin.heads[0]


def _echo(origin: Origin) -> Handler:
    """Answers with the body it read, in chunks, and a trailer."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parser = h11.Connection(h11.SERVER)
        body = b""
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                if parser.they_are_waiting_for_100_continue:
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                    parser.send(h11.InformationalResponse(status_code=100, headers=[]))
                parser.receive_data(await reader.read(65536))
            elif isinstance(event, h11.Request):
                origin.heads.append(b"\n".join(b": ".join(item) for item in event.headers))
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                trailer = dict(event.headers).get(b"x-sum", b"none")
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-end\r\n\r\n")
                writer.write(b"%x\r\n%b\r\n" % (len(body), body) if body else b"")
                writer.write(b"0\r\nX-End: " + trailer + b"\r\nContent-Length: 7\r\n\r\n")
                await writer.drain()
                return
            else:
                return

    return handle


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 5\r\n\r\nhello",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;ext=1\r\nllo\r\n0\r\nX-Sum: 9\r\n\r\n",
        b"Content-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 9\r\n\r\n",
    ],
    ids=["length", "chunked", "both"],
)
async def test_bodies_are_framed_anew_and_trailers_go_on(body: bytes) -> None:
    async with serving(_echo) as origin, running(to(origin.port)) as proxy:
        response = await ask(proxy.port, b"POST http://shop.test/ HTTP/1.1\r\nHost: shop.test\r\n" + body)
        assert response.body == b"hello"
        chunked = b"chunked" in body
        assert response.trailers == {"x-end": "9" if chunked else "none"}
        assert (b"content-length" in origin.heads[0]) is not chunked


async def test_a_megabyte_goes_up_and_down() -> None:
    body = bytes(range(256)) * 4096
    head = f"POST http://shop.test/ HTTP/1.1\r\nHost: shop.test\r\nContent-Length: {len(body)}\r\n\r\n"
    async with serving(_echo) as origin, running(to(origin.port)) as proxy:
        response = await ask(proxy.port, head.encode() + body)
        assert response.body == body
        usage = proxy.runner_proxy.usage()
        assert len(body) < usage.up_bytes < len(body) + 500
        assert len(body) < usage.down_bytes < len(body) + 500
        assert usage.requests == 1


LARGE = 700_000


def _large(length: int = LARGE, more: str = "") -> bytes:
    head = f"HTTP/1.1 200 OK\r\n{more}Content-Length: {length}\r\n\r\n"
    return head.encode() + bytes(range(250)) * (LARGE // 250)


async def test_large_bodies_arrive_whole_and_the_connections_are_kept() -> None:
    async with serving(answering(_large())) as origin, running(to(origin.port)) as proxy, client(proxy.port) as runner:
        for _ in range(3):
            response = await runner.ask(get("http://shop.test/"))
            assert (response.status, response.body == bytes(range(250)) * 2800) == (200, True)
        assert origin.connections == 1
        assert proxy.runner_proxy.usage().down_bytes == 3 * len(_large())


async def test_a_large_body_of_an_origin_that_closes_arrives_whole() -> None:
    handler = closing(_large(more="Connection: close\r\n"))
    async with serving(handler) as origin, running(to(origin.port)) as proxy, client(proxy.port) as runner:
        for connections in (1, 2):
            response = await runner.ask(get("http://shop.test/"))
            assert (len(response.body), origin.connections) == (LARGE, connections)


async def test_a_large_body_that_is_cut_is_no_complete_one() -> None:
    async with serving(closing(_large(LARGE + 1))) as origin, running(to(origin.port)) as proxy:
        with pytest.raises((ConnectionError, h11.RemoteProtocolError)):
            await ask(proxy.port, get("http://shop.test/"))


async def test_what_follows_a_large_body_answers_no_request() -> None:
    handler = answering(_large(LARGE - 1))
    async with serving(handler) as origin, running(to(origin.port)) as proxy, client(proxy.port) as runner:
        for connections in (1, 2):
            response = await runner.ask(get("http://shop.test/"))
            assert (len(response.body), origin.connections) == (LARGE - 1, connections)


async def test_a_large_body_is_cut_at_the_byte_budget() -> None:
    async with (
        serving(answering(_large())) as origin,
        running(to(origin.port, budget_bytes=300_000)) as proxy,
        client(proxy.port) as runner,
    ):
        runner.writer.write(get("http://shop.test/"))
        with pytest.raises(ConnectionError):
            while await runner.reader.read(1 << 20):
                pass
        usage = proxy.runner_proxy.usage()
        assert usage.up_bytes + usage.down_bytes == 300_000


def _head_first(length: int) -> Callable[[Origin], Handler]:
    """Sends its body once the client of the test has the head."""

    def handler(origin: Origin) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length)
            await origin.arrived.wait()
            writer.write(bytes(length))
            await reader.read()

        return handle

    return handler


@pytest.mark.parametrize("length", [2, LARGE])
async def test_a_head_does_not_wait_for_its_body(length: int) -> None:
    async with (
        serving(_head_first(length)) as origin,
        running(to(origin.port)) as proxy,
        client(proxy.port) as runner,
        asyncio.timeout(10),
    ):
        runner.writer.write(get("http://shop.test/"))
        assert (await runner.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
        origin.arrived.set()
        assert await runner.reader.readexactly(length) == bytes(length)


async def test_100_continue_is_the_origins_to_say() -> None:
    head = b"POST http://shop.test/ HTTP/1.1\r\nHost: shop.test\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    async with serving(_echo) as origin, running(to(origin.port)) as proxy, client(proxy.port) as runner:
        runner.writer.write(head)
        assert await runner.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        runner.writer.write(b"hi")
        assert (await runner.answer()).body == b"hi"


@pytest.mark.parametrize(
    ("method", "response"),
    [
        (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
        (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n"),
    ],
)
async def test_responses_without_a_body_keep_the_connections(method: bytes, response: bytes) -> None:
    async with serving(answering(response)) as origin, running(to(origin.port)) as proxy:
        async with client(proxy.port) as runner:
            for _ in range(2):
                answer = await runner.ask(method + b" http://shop.test/ HTTP/1.1\r\nHost: shop.test\r\n\r\n")
                assert answer.body == b""
                assert answer.status == int(response.split()[1])
        assert origin.connections == 1


async def test_a_response_that_ends_with_its_connection_is_chunked_for_the_runner() -> None:
    async with serving(closing(b"HTTP/1.0 200 OK\r\n\r\nall of it")) as origin, running(to(origin.port)) as proxy:
        async with client(proxy.port) as runner:
            for _ in range(2):
                response = await runner.ask(get("http://shop.test/"))
                assert response.body == b"all of it"
                assert response.headers == {"transfer-encoding": "chunked"}
        assert origin.connections == 2


async def test_a_cut_response_is_no_complete_one() -> None:
    half = closing(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    async with serving(half) as origin, running(to(origin.port)) as proxy, client(proxy.port) as runner:
        with pytest.raises((h11.RemoteProtocolError, ConnectionError)):
            await runner.ask(get("http://shop.test/"))


async def test_a_cut_response_is_no_complete_one_for_http_1_0_either() -> None:
    half = closing(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
    async with serving(half) as origin, running(to(origin.port)) as proxy, client(proxy.port) as runner:
        runner.writer.write(b"GET http://shop.test/ HTTP/1.0\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            while await runner.reader.read(1000):
                pass


async def test_a_kept_connection_that_closes_at_the_next_request_is_tried_anew() -> None:
    def once(origin: Origin) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await origin.head(reader)
            writer.write(OK)
            await origin.head(reader)

        return handle

    async with serving(once) as origin, running(to(origin.port)) as proxy, client(proxy.port) as runner:
        for _ in range(3):
            assert (await runner.ask(get("http://shop.test/"))).body == b"ok"
        assert (origin.connections, len(origin.heads)) == (3, 5)


async def test_what_an_origin_says_unasked_answers_no_request() -> None:
    async with serving(answering(OK + OK.replace(b"ok", b"no"))) as origin, running(to(origin.port)) as proxy:
        async with client(proxy.port) as runner:
            for _ in range(3):
                assert (await runner.ask(get("http://shop.test/"))).body == b"ok"
        assert origin.connections == 3


async def test_a_kept_connection_that_the_origin_closed_is_not_noticed_by_the_runner() -> None:
    async with serving(closing(OK)) as origin, running(to(origin.port)) as proxy, client(proxy.port) as runner:
        for _ in range(5):
            assert (await runner.ask(get("http://shop.test/"))).body == b"ok"
        assert origin.connections == 5


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with serving(answering()) as origin, running(to(origin.port)) as proxy, client(proxy.port) as runner:
        runner.writer.write(get("http://shop.test/1") + get("http://shop.test/2"))
        got = b""
        while got.count(b"ok") < 2:
            got += await runner.reader.read(1000)
        assert [head.split()[1] for head in origin.heads] == [b"/1", b"/2"]


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (b"", "empty_response"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "invalid_response"),
        (b"HTTP/1.1 200 OK\r\nContent-", "invalid_response"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", "invalid_response"),
        (
            b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
            "unexpected_proxy_auth",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "invalid_response"),
    ],
)
async def test_origins_that_answer_badly(response: bytes, reason: str) -> None:
    async with serving(closing(response)) as origin, running(to(origin.port)) as proxy:
        answer = await ask(proxy.port, get("http://shop.test/"))
        assert (answer.status, answer.failure) == (502, RequestFailure("unreachable", reason, "shop.test:80"))
        assert proxy.reported() == [answer.failure]


async def test_an_origin_that_resets_the_connection() -> None:
    def resetting(origin: Origin) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await origin.head(reader)
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

        return handle

    async with serving(resetting) as origin, running(to(origin.port)) as proxy:
        answer = await ask(proxy.port, get("http://shop.test/"))
        assert (answer.status, answer.egress) == (502, "connection_reset")


async def test_a_silent_origin_is_given_up() -> None:
    def silent(origin: Origin) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await origin.head(reader):
                pass

        return handle

    async with serving(silent) as origin, running(to(origin.port), EgressLimits(silence_seconds=0.1)) as proxy:
        answer = await ask(proxy.port, get("http://shop.test/"))
        assert (answer.status, answer.egress) == (504, "origin_silent")


async def test_a_runner_that_hangs_up_ends_the_origins_work() -> None:
    def silent(origin: Origin) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await origin.head(reader)
            await reader.read()

        return handle

    async with serving(silent) as origin, running(to(origin.port)) as proxy:
        async with client(proxy.port) as runner:
            runner.writer.write(get("http://shop.test/"))
            await origin.arrived.wait()
        async with asyncio.timeout(5):
            await origin.closed.wait()


async def test_an_early_answer_to_an_unfinished_upload_arrives() -> None:
    early = closing(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!")
    async with serving(early) as origin, running(to(origin.port)) as proxy, client(proxy.port) as runner:
        head = b"POST http://shop.test/ HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 100000\r\n\r\nbegin"
        response = await runner.ask(head)
        assert (response.status, response.body) == (413, b"no!")
        assert await runner.ended()


async def test_an_upgrade_to_websocket_becomes_a_tunnel() -> None:
    def echo(origin: Origin) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await origin.head(reader)
            writer.write(b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst")
            while data := await reader.read(100):
                writer.write(data.upper())

        return handle

    async with serving(echo) as origin, running(to(origin.port)) as proxy, client(proxy.port) as runner:
        runner.writer.write(
            get("http://shop.test/ws", "Connection: Upgrade", "Upgrade: WebSocket", "Sec-WebSocket-Key: a") + b"x"
        )
        head = await runner.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert await runner.reader.readexactly(6) == b"firstX"
        runner.writer.write(b"more")
        assert await runner.reader.readexactly(4) == b"MORE"
        assert b"Upgrade: websocket\r\n" in origin.heads[0]
        runner.writer.write_eof()
        assert await runner.ended()
