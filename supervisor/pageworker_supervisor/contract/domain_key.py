"""Which domain's limits a job counts against. Pure.

The key is a host name in written form (`shop.example`), and two forms that no host name can take:
- `shop.example@acme`: tenant `acme` named the domain, and nothing in the job confirms it. Such a job counts in a domain
  of its tenant's own, so that nobody can use up the permits of a site that others work on.
- `%0123456789abcdef`: the URL has a host that no browser accepts. It is a domain of its own: never one without limits.
"""

import hashlib

from pageworker_sandbox.hostname import HostInvalid, host_of_url, normalise_host

TENANT_MARK = "@"
INVALID_MARK = "%"


def domain_key(declared: str | None, untrusted_url: object, tenant_id: str) -> str | None:
    """The key; None where neither a domain nor a URL with a host is given.

    `declared` is the job's field `domain`, valid. `untrusted_url` is `payload.url`, whatever it is.
    """
    host = _host(untrusted_url) if isinstance(untrusted_url, str) else None
    if declared is None:
        return host
    domain = normalise_host(declared)
    confirmed = host is not None and (host == domain or host.endswith(f".{domain}"))
    return domain if confirmed else f"{domain}{TENANT_MARK}{tenant_id}"


def host_of_key(key: str) -> str:
    """The host whose settings hold for the key: `shop.example` of `shop.example@acme`."""
    return key.partition(TENANT_MARK)[0]


def _host(untrusted_url: str) -> str | None:
    try:
        return host_of_url(untrusted_url)
    except HostInvalid:
        digest = hashlib.sha256(untrusted_url.encode("utf-8", "replace")).hexdigest()
        return INVALID_MARK + digest[:16]
