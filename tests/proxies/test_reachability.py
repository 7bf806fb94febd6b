"""Which upstreams this host reaches."""

import asyncio

from pw_proxies import pool

from pageworker_supervisor.proxies.reachability import Reached, reach


async def test_an_upstream_that_listens_is_told_from_one_that_does_not() -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        urls = [f"http://127.0.0.1:{port}", "socks5://127.0.0.1:1", "https://unknown.invalid:3128"]
        up, down, unknown = await reach({"de": pool(upstreams=urls)})
    assert up == Reached("de", urls[0], "")
    assert (down.upstream, down.problem) == (urls[1], "Connection refused")
    assert unknown.problem
