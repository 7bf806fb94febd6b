"""What a tenant may subscribe to, and the request for it. Pure."""

import re
from collections.abc import Sequence
from typing import Annotated, get_args

from msgspec import Meta, Struct

from pageworker_supervisor.contract.callback_url import MAX_URL_CHARACTERS, allowed
from pageworker_supervisor.contract.result import Status

ALL_RESULTS = "job.*"
RESULT_EVENTS = tuple(f"job.{status}" for status in get_args(Status))
"""Durable: each is promised in the step that stores the result."""
CHANNEL_EVENTS = tuple(
    f"event.{name}"
    for name in (
        *("batch_done", "blocked", "budget", "callback_failed", "dead", "duplicate", "paused", "profile_state"),
        *("queue_limit", "rejected", "retrying", "throttled", "unpaused", "worker_lost"),
    )
)
"""Events of the channel of the tenant: each is promised in the step that publishes it."""
SUBSCRIBABLE = (ALL_RESULTS, *RESULT_EVENTS, *CHANNEL_EVENTS)

_MODULE_GLOB = re.compile(r"[a-z0-9_.*?]{1,200}", re.ASCII)

EventType = Annotated[str, Meta(max_length=60)]
ModuleGlob = Annotated[str, Meta(max_length=200)]


class SubscriptionRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A wish to get events at `url`. `events`: names such as `job.succeeded` or `event.blocked`; `job.*`: all results.
    `modules`: globs of module names; results of other modules are not sent. Empty: results of all modules."""

    url: Annotated[str, Meta(min_length=1, max_length=MAX_URL_CHARACTERS)]
    events: Annotated[list[EventType], Meta(min_length=1, max_length=50)]
    modules: Annotated[list[ModuleGlob], Meta(max_length=20)] = []


class SubscriptionInvalid(ValueError):
    """The request names what does not exist. `field`: which field; `hint`: how to fix it."""

    def __init__(self, field: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.field = field
        self.hint = hint


def checked_events(untrusted_names: Sequence[str]) -> tuple[str, ...]:
    """The names, each once, sorted. Raises SubscriptionInvalid."""
    for name in untrusted_names:
        if name == "event.progress":
            hint = "follow GET /v1/events for the steps of running jobs"
            raise SubscriptionInvalid("events", "steps of running jobs are not sent to subscriptions", hint)
        if name not in SUBSCRIBABLE:
            hint = f"write one of {', '.join(SUBSCRIBABLE)}"
            raise SubscriptionInvalid("events", f"there is no event `{name}`", hint)
    return tuple(sorted(set(untrusted_names)))


def checked_modules(untrusted_globs: Sequence[str], events: Sequence[str]) -> tuple[str, ...]:
    """The globs, each once, sorted. Raises SubscriptionInvalid."""
    for glob in untrusted_globs:
        if not _MODULE_GLOB.fullmatch(glob):
            hint = "write the name without a version, e.g. shop.product or shop.*"
            raise SubscriptionInvalid("modules", f"`{glob}` is no glob of module names", hint)
    if untrusted_globs and not any(event.startswith("job.") for event in events):
        hint = "leave `modules` out, or subscribe to job.*"
        raise SubscriptionInvalid("modules", "`modules` chooses among results, and `events` names no result", hint)
    return tuple(sorted(set(untrusted_globs)))


def callback_trouble(untrusted_url: str, globs: Sequence[str], *, has_secret: bool) -> SubscriptionInvalid | None:
    """Why a tenant with these `callback_allow` may not have this URL called; None: it may."""
    if not allowed(untrusted_url, globs):
        hint = "callback_allow in [tenants] names what is"
        return SubscriptionInvalid("url", "the URL is not on the tenant's allow-list", hint)
    if not has_secret:
        hint = "set callback_secret or callback_secret_file in [tenants]"
        return SubscriptionInvalid("url", "the tenant has no callback secret, so nothing could be signed", hint)
    return None
