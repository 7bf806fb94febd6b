"""What a runner reports of the login of its profile."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

MAX_PROFILE_EVIDENCE = 8
"""Entries of the evidence."""
MAX_PROFILE_NAME = 64
MAX_PROFILE_VALUE = 256
"""Characters of the name and of the value of an entry."""
MAX_PROFILE_URL = 1024
"""Characters of the page's address."""

PROBE_SECONDS = 10.0
"""Longest time of a login probe. Its page is free that much later."""

ProbeWish = Literal["no", "login_required", "due"]
"""Whether the module's login probe runs on the page that the handler has left: never, if the attempt ended as blocked
with `login_required`, or in any case."""
ProfileWord = Literal["authenticated", "needs_login", "needs_human"]


class ProfileReport(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a module found. It is foreign text: the supervisor masks it, and believes it of this one profile only."""

    state: ProfileWord
    evidence: Annotated[
        dict[Annotated[str, Meta(max_length=MAX_PROFILE_NAME)], Annotated[str, Meta(max_length=MAX_PROFILE_VALUE)]],
        Meta(max_length=MAX_PROFILE_EVIDENCE),
    ] = {}
    url: Annotated[str, Meta(max_length=MAX_PROFILE_URL)] | None = None
    """The page's address then. None: the page was still empty."""
