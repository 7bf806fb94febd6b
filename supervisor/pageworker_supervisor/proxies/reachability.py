"""Whether this host reaches the upstreams of `[proxies]`: a TCP connection to each, without any request."""

import asyncio
import contextlib
import os
from collections.abc import Mapping

from msgspec import Struct

from pageworker_supervisor.config.proxy_settings import ProxySettings
from pageworker_supervisor.config.upstream_url import UpstreamUrl, parse_upstream

CONNECT_SECONDS = 5.0


class Reached(Struct, frozen=True):
    """One upstream of a policy. `problem`: why it does not answer; "" if it does."""

    policy: str
    upstream: str
    problem: str


async def reach(proxies: Mapping[str, ProxySettings]) -> list[Reached]:
    """All upstreams, at the same time. Takes CONNECT_SECONDS at most."""
    upstreams = [(name, parse_upstream(url)) for name, policy in proxies.items() for url in policy.upstreams]
    problems = await asyncio.gather(*(_problem(upstream) for _, upstream in upstreams))
    return [
        Reached(name, str(upstream), problem) for (name, upstream), problem in zip(upstreams, problems, strict=True)
    ]


async def _problem(upstream: UpstreamUrl) -> str:
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(upstream.host, upstream.port)
    except TimeoutError:
        return f"no answer within {CONNECT_SECONDS:g} s"
    except OSError as error:
        # asyncio puts the address in place of the text of an errno; a name that does not resolve has a negative one.
        number = error.errno or 0
        return os.strerror(number) if number > 0 else error.strerror or str(error)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return ""
