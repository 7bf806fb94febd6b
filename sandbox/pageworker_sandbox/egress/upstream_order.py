"""In which order upstream proxies are preferred. Pure, and the same on every worker.

Rendezvous hashing: each upstream gets a score from the key and its URL, and the highest score comes first. So an
upstream that is added or removed changes the order of no other ones. Source: Thaler and Ravishankar, "Using Name-Based
Mappings to Increase Hit Rates", IEEE/ACM Transactions on Networking 6(1), 1998.
"""

from collections.abc import Iterable
from hashlib import blake2b

from pageworker_sandbox.egress.messages import Upstream


def preferred(upstreams: Iterable[Upstream], *key: str) -> tuple[Upstream, ...]:
    """The upstreams in the order of preference for this key, for example a tenant and a profile."""
    return tuple(sorted(upstreams, key=lambda upstream: _score((*key, upstream.url)), reverse=True))


def _score(parts: tuple[str, ...]) -> bytes:
    digest = blake2b(digest_size=16)
    for part in parts:
        text = part.encode()
        # With its length: ("ab", "c") and ("a", "bc") are different keys.
        digest.update(len(text).to_bytes(4, "big") + text)
    return digest.digest()
