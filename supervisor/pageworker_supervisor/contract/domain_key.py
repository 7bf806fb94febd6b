"""Chooses the domain whose limits a job counts against. Pure.

The key is a host name in normalised form (`shop.example`), or one of two forms that no host name can have:
- `shop.example@acme`: tenant `acme` named the domain in field `domain`, and the URL of the job does not confirm it. The
  job counts in a domain of this tenant alone.
- `%0123456789abcdef`: no browser accepts the host of the URL. Each such URL is a domain with limits like any other.

The key keeps no tenant out of a domain: any job may have a URL there, and need not visit it. How tenants share the
permits of a domain: `queue/lua/domain.lua`.
"""

import hashlib

from pageworker_sandbox.hostname import HostInvalid, host_of_url, normalise_host

TENANT_MARK = "@"
INVALID_MARK = "%"


def domain_key(declared: str | None, untrusted_url: object, tenant_id: str) -> str | None:
    """The key; None where neither a domain nor a URL with a host is given.

    `declared` is the field `domain` of the job, already validated. `untrusted_url` is `payload.url`, of any type.
    """
    host = _host(untrusted_url) if isinstance(untrusted_url, str) else None
    if declared is None:
        return host
    domain = normalise_host(declared)
    confirmed = host is not None and (host == domain or host.endswith(f".{domain}"))
    return domain if confirmed else f"{domain}{TENANT_MARK}{tenant_id}"


def host_of_key(key: str) -> str:
    """The host whose settings apply to the key: `shop.example` of `shop.example@acme`."""
    return key.partition(TENANT_MARK)[0]


def _host(untrusted_url: str) -> str | None:
    try:
        return host_of_url(untrusted_url)
    except HostInvalid:
        digest = hashlib.sha256(untrusted_url.encode("utf-8", "replace")).hexdigest()
        return INVALID_MARK + digest[:16]
