"""The section `[blockers]`: when a page counts as blocked; and what follows then, per tenant."""

from typing import Annotated, Literal

from msgspec import Meta

from pageworker_supervisor.config.relative_paths import LOCATION
from pageworker_supervisor.config.section import Section
from pageworker_supervisor.contract.job import PROXY_NAME

ANY_KIND: Literal["*"] = "*"
PolicyKind = Literal["captcha", "challenge", "access_denied", "rate_limited", "login_required", "geo_blocked", "*"]
"""Of a blocker; `*`: of every kind that has no policy of its own."""
LEAST_COOL_SECONDS = 60


class BlockerPolicy(Section, frozen=True):
    """What follows if a site blocks a job of the tenant. `<name>` is a kind of blocker, or `*` for all kinds without an
    entry ([blockers.md](blockers.md#policies-of-tenants)). Without an entry the job ends as `blocked`, and nothing else
    happens."""

    retries: Annotated[int, Meta(ge=0, le=20)] = 0
    """Attempts after a blocked one, as far as `max_retries` of the job allows them. Each begins on another runner. A
    job with a profile has none without `cool_profile_seconds`."""
    delay_seconds: Annotated[float, Meta(ge=0, le=604_800)] = 60.0
    """Seconds before such an attempt, and up to a tenth more."""
    proxy: Annotated[str, Meta(pattern=PROXY_NAME)] | None = None
    """Proxy policy of such attempts, in place of the job's own. Default: the job's own; with `rotation = "job"` each
    attempt has another upstream of it."""
    cool_profile_seconds: Annotated[float, Meta(ge=0, le=2_592_000)] = 0.0
    """Seconds for which no job of the profile starts after a blocked one, on any worker. 0: off; else at least 60."""
    pause_domain_seconds: Annotated[float, Meta(ge=0, le=604_800)] = 0.0
    """Seconds for which no job for the domain starts, of any tenant, as `workerctl pause domain` does. 0: off."""


class BlockerSettings(Section, frozen=True):
    """When a page counts as blocked by its site (docs/blockers.md). A module says in its manifest when it is looked
    at."""

    threshold: Annotated[float, Meta(ge=0.5, le=5)] = 1.0
    """The sum of weights from which a blocker rule applies. Higher: fewer pages count as blocked."""
    rules: Annotated[str, LOCATION] | None = None
    """Rules of your own in place of those of the release: a JSON file, as a path or a URL, with its signature
    `FILE.minisig` beside it. The worker follows changes of it (docs/blockers.md). Default: the rules of the release."""
