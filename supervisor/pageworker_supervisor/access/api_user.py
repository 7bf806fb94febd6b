"""The rules of the Redis user of `pageworker-api`: what the API does there, and nothing else. Pure, but for the shipped
file of users."""

import re
from collections.abc import Iterator
from importlib.resources import files

from pageworker_supervisor.queue.library import SHARD_KEYS, Library

FUNCTIONS = (
    *("enqueue", "cancel", "show_job", "list_tenants", "read_usage", "check_schema"),
    *("config_state", "rollout_look", "subscription_add", "subscription_remove", "subscription_list"),
    *("batch_open", "batch_show", "batch_list", "batch_jobs", "batch_close", "batch_cancel", "batch_letters"),
    *("batch_retry", "revive"),
)
"""What the API calls."""
PAGE_FUNCTIONS = ("stats", "list_workers", "list_jobs", "list_pauses", "list_dead_letters")
"""What the status page calls beside them."""
AUDIT_FUNCTIONS = ("record_head", "record_append")
AUDITED = frozenset(("audit", "audit_head"))
"""For an API that has the key of the audit log: `audit.key_file`."""
PROBED = "pageworker_none"
"""A function that does not exist: redis_client/probe.py."""
WRITTEN = frozenset(
    (
        *(
            "meta",
            "job",
            "body",
            "done",
            "kept",
            "timeline",
            "once",
            "backlog",
            "delayed",
            "expiry",
            "ending",
            "listed",
        ),
        *("repeated", "cancellations", "cancellation_counts", "tenant", "active", "parked", "open_contexts", "context"),
        *("domain", "parked_tenants", "parked_backlogs", "module", "module_tenants", "module_backlogs", "fleet"),
        *("timers", "waited_for", "profile_contexts", "held_contexts", "waiting_contexts", "profile", "profile_locks"),
        *("control", "wake_slots", "wake_context", "outbox", "outbox_entry", "subscription", "subscriptions_of"),
        *("batch", "batch_ends", "batch_jobs", "batch_running", "batches", "batches_due"),
        *("dead", "dead_of", "dead_weight"),
    )
)
"""Keys that the functions write which queue, cancel and repeat jobs. A function that stops in the middle leaves half of
a transition, so these are rather too many than too few."""
READ = frozenset(
    (
        *("clock", "usage", "budget", "limits", "paused", "workers", "leases", "ready", "profile_login"),
        *("profile_cooling", "rejected", "rejected_of", "rejected_last", "access_token"),
        *("config", "config_meta", "config_workers", "rollouts", "rollout_changes"),
    )
)
PAGE_READ = frozenset(("results", "worker_reports", "drains"))
"""Keys that the status page alone reads."""
CLOSED = frozenset(
    (
        *("request_rate", "open_requests", "limits_workers", "limits_brought", "profile_store"),
        *("last_claim", "config_history", "config_proposal", "config_votes"),
        *("config_outcome", "access_tokens_of", "audit", "audit_head", "scaling", "rollout_evidence"),
        "rollout_counts",
    )
)
"""Keys that the API has nothing to do with."""
NOT_NEEDED = frozenset(
    (
        *("+fcall", "+function|load", "+client|id", "+client|tracking", "+scan", "+type", "+blmove", "+blmpop"),
        *("+xautoclaim", "+xpending", "+xinfo|stream", "+xinfo|consumers", "+xgroup|create", "+xgroup|delconsumer"),
        "+xread",
    )
)
"""Permissions of the user `pageworker` that the API does without. It loads no functions: workers do."""


def api_rules(prefix: str, library: Library, *, audits: bool = False, page: bool = False) -> tuple[str, ...]:
    """In the words of `ACL SETUSER`, without password. The functions are those of one version.

    `audits`: the API has the key of the audit log, and records cancellations there. `page`: it has the status page.
    """
    written = WRITTEN | AUDITED if audits else WRITTEN
    read = READ | PAGE_READ if page else READ
    return (
        "resetkeys",
        *(f"~{pattern}" for pattern in _patterns(prefix, written)),
        *(f"%R~{pattern}" for pattern in _patterns(prefix, read)),
        f"%R~{prefix}:result:*",
        "resetchannels",
        f"&{prefix}:results:*",
        f"&{prefix}:events:*",
        "-@all",
        *_commands(),
        *(("+xinfo|stream",) if audits else ()),
        *function_rules(library, audits=audits, page=page),
    )


def function_rules(library: Library, *, audits: bool = False, page: bool = False) -> tuple[str, ...]:
    """The right to call the functions of this version, beside those of others."""
    names = (*FUNCTIONS, *(AUDIT_FUNCTIONS if audits else ()), *(PAGE_FUNCTIONS if page else ()))
    return tuple(f"+fcall|{name}" for name in (PROBED, *map(library.function, names)))


def _patterns(prefix: str, names: frozenset[str]) -> Iterator[str]:
    for name in sorted(names):
        yield f"{prefix}:{{*}}:" + re.sub(r"<[a-z]+>", "*", SHARD_KEYS[name])
    if names >= WRITTEN:
        yield f"{prefix}:{{*}}"


def _commands() -> Iterator[str]:
    """Those of the user `pageworker`, without what is not needed."""
    shipped = files("pageworker_supervisor.redis_client").joinpath("pageworker.acl").read_text(encoding="utf-8")
    (worker,) = (line for line in shipped.splitlines() if line.startswith("user pageworker "))
    yield from (word for word in worker.split() if word[0] == "+" and word not in NOT_NEEDED)
