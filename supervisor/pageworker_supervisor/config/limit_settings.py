"""The sections `[domains]` and `[limits]`: what all workers together do to a host, for a module, and in all."""

from typing import Annotated

from msgspec import Meta

from pageworker_supervisor.config.section import Section

Count = Annotated[int, Meta(ge=1)]
LEAST_RATE = 0.0001
"""Per second, which is one in three hours: the wait for the next one stays a time that can be counted."""
Rate = Annotated[float, Meta(ge=LEAST_RATE)]
"""Per second."""


class DomainSettings(Section, frozen=True):
    """Limits of one domain, or a glob of domains. The longest matching key wins.

    A job counts against the host of its `payload.url`, as a browser writes it: `münchen.test`, `MÜNCHEN.test.` and
    `xn--mnchen-3ya.test` are one domain. The field `domain` of a job replaces it if the host of the URL is that
    domain or below it. A `domain` that the URL does not confirm counts as a domain of this tenant alone, with the
    same limits. A URL whose host no browser accepts counts as a domain of its own.

    Tenants share a domain: a permit that is released goes to the waiting tenant that has the fewest jobs running for
    the domain. A running job keeps its permit. A tenant that comes later can wait as long as the `timeout_seconds` of
    the jobs that run. A `concurrency` of each tenant below that of the domain leaves permits for the others."""

    concurrency: Count = 1000
    """Jobs for the domain that run at the same time on all workers, of all tenants together."""
    rate_per_second: Rate | None = None
    """Jobs for the domain that start per second on all workers. Default: no limit."""
    burst: Count = 100
    """Jobs that may start at once before `rate_per_second` slows them down."""
    requests_per_second: Annotated[float, Meta(ge=LEAST_RATE, le=100_000)] | None = None
    """Requests to the domain that begin per second on all workers, of all tenants together, whichever job sends them
    (docs/egress.md). Each host that a glob matches has this rate for itself. Default: no limit."""
    request_burst: Count = 1
    """Requests that may begin at once before `requests_per_second` slows them down."""
    request_concurrency: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    """Requests to the domain that are open at the same time on all workers, of all tenants together (docs/egress.md). A
    tunnel for `https` counts as one request for as long as it is open. Each host that a glob matches has this limit for
    itself. Default: no limit."""


class SharedLimits(Section, frozen=True):
    """Limits of the fleet, or of a module."""

    concurrency: Count | None = None
    """Jobs that run at the same time on all workers, of all tenants together. Default: no limit."""
    rate_per_second: Rate | None = None
    """Jobs that start per second on all workers. Default: no limit."""
    burst: Count = 100
    """Jobs that may start at once before `rate_per_second` slows them down."""


class LimitSettings(Section, frozen=True):
    """Limits beside those of tenants and domains. A job starts only if all of its limits permit it: its tenant's, its
    domain's, its module's and the fleet's. A job that waits for a limit occupies no runner and holds up no other job.

    With `redis.shards` above 1, each shard has an equal part of these limits."""

    fleet: SharedLimits = SharedLimits()
    """All jobs of all tenants together."""
    modules: dict[str, SharedLimits] = {}
    """By the name of a module without its version, or a glob of names: `shop.product`, `shop.*`. Each module that a
    glob matches has these limits for itself. The longest matching key wins."""
