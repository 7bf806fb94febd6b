"""What blocks a page, as a runner reports it. docs/blockers.md"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

MAX_BLOCKER_URL = 2048
"""Characters of a blocker's URL."""


class Obstacle(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A blocker that was recognised on the page."""

    kind: Literal["captcha", "challenge", "access_denied", "rate_limited", "login_required", "geo_blocked"]
    provider: Annotated[str, Meta(max_length=64)] | None = None
    evidence: dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]] = {}
    url: Annotated[str, Meta(max_length=MAX_BLOCKER_URL)] | None = None
    """The page's address when the module reported the blocker. None: the page was still empty."""
