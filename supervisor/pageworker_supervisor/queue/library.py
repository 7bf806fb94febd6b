"""The library of Redis Functions: its text, its name, and the tables that Lua shares with Python."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from pageworker_sandbox.state_machine import TransitionTable
from pageworker_supervisor.contract import batch_state, profile_login
from pageworker_supervisor.contract.job_history import CALLBACK_CODES, EVENT_CODES
from pageworker_supervisor.contract.job_state import TRANSITIONS, JobEvent, JobState
from pageworker_supervisor.queue.batch_tables import BATCH_FIELDS, STATUSES
from pageworker_supervisor.queue.options import LEASE_MS, OUTBOX_LEASE_MS

SCHEMA_VERSION = 1
"""Of the state in Redis. It goes up when a version of the functions cannot share a Redis with the one before."""

SHARD_KEYS = {
    "meta": "meta",
    "clock": "clock",
    # jobs
    "job": "job:<job>",
    "body": "body:<job>",
    "done": "done:<job>",
    "kept": "kept:<job>",
    "timeline": "timeline:<job>",
    "once": "once:<job>",
    "backlog": "backlog:<tenant>/<context>/<domain>:<priority>",
    "delayed": "delayed",
    "expiry": "expiry",
    "ending": "ending",
    "ready": "ready",
    "leases": "leases",
    "listed": "listed:<index>",
    "rejected": "rejected",
    "rejected_of": "rejected:of:<tenant>",
    "rejected_last": "rejected:last:<tenant>",
    "repeated": "repeated",
    "cancellations": "cancellations",
    "cancellation_counts": "cancellations:counts",
    # batches
    "batch": "batch:<batch>",
    "batch_jobs": "batch_jobs:<batch>",
    "batch_ends": "batch_ends:<batch>",
    "batch_running": "batch_running:<batch>",
    "batches": "batches",
    "batches_due": "batches_due",
    # fairness and limits
    "tenant": "tenant:<tenant>",
    "usage": "usage:<tenant>:<day>",
    "budget": "budget:<tenant>",
    "active": "active",
    "parked": "parked",
    "open_contexts": "open:<tenant>:<priority>",
    "context": "context:<tenant>/<context>:<priority>",
    "domain": "domain:<domain>",
    "parked_tenants": "domain:<domain>:parked",
    "parked_backlogs": "domain:<domain>:parked:<tenant>",
    "module": "module:<module>",
    "module_tenants": "module:<module>:parked",
    "module_backlogs": "module:<module>:parked:<tenant>",
    "fleet": "fleet",
    "request_rate": "requests:<host>",
    "open_requests": "requests:<host>:open",
    "timers": "timers",
    "waited_for": "waited_for",
    "limits": "limits",
    "limits_workers": "limits:workers",
    "limits_brought": "limits:brought",
    "paused": "paused",
    # profiles and workers
    "profile": "profile:<tenant>/<profile>",
    "profile_contexts": "profile_contexts:<tenant>/<profile>",
    "profile_locks": "profile_locks",
    "profile_store": "profile_store:<tenant>/<profile>",
    "profile_login": "profile_login:<tenant>/<profile>",
    "profile_cooling": "profile_cooling:<tenant>/<profile>",
    "held_contexts": "held_contexts:<tenant>",
    "waiting_contexts": "waiting_contexts",
    "workers": "workers",
    "worker_reports": "worker_reports",
    "drains": "drains",
    "last_claim": "last_claim:<worker>",
    "control": "control:<worker>",
    "wake_slots": "wake:slots",
    "wake_context": "wake:<tenant>/<context>",
    # results
    "results": "results",
    "dead": "dead",
    "dead_of": "dead:of:<tenant>",
    "dead_weight": "dead:weight",
    "outbox": "outbox",
    "outbox_entry": "outbox_entry:<name>",
    "subscription": "subscription:<tenant>/<id>",
    "subscriptions_of": "subscriptions_of:<tenant>",
    # central configuration, on shard 0 alone
    "config": "config",
    "config_meta": "config:meta",
    "config_history": "config:history",
    "config_proposal": "config:proposal",
    "config_votes": "config:votes",
    "config_workers": "config:workers",
    "config_outcome": "config:outcome:<id>",
    # access tokens, on shard 0 alone
    "access_token": "access_token:<id>",
    "access_tokens_of": "access_tokens_of:<tenant>",
    # the audit log, on shard 0 alone
    "audit": "audit",
    "audit_head": "audit:head",
    # the fleet process, on shard 0 alone
    "scaling": "scaling",
    # rollouts: entries and decisions on shard 0 alone, counts on the shard of each job
    "rollouts": "rollouts",
    "rollout_changes": "rollout_changes",
    "rollout_evidence": "rollout_evidence:<module>",
    "rollout_counts": "rollout_counts:<module>",
}
"""The keys of a shard: name in the code, and pattern below the shard's root `<prefix>:{<shard>}`.

Lua gets a function of each (`Key.backlog(tenant, context, domain, priority)`), so no other file spells a key.
docs/redis-keys.md explains them, and a test holds that document against this table. `results` and `dead` are part of
the contract with other systems; all others are the project's own.
"""

_PLACEHOLDER = re.compile(r"<([a-z]+)>")

JOB_FIELDS = {
    "state": "one of `JobState`; written by `Job.transition` alone",
    "tenant": "its tenant",
    "priority": "`h`, `m` or `l`",
    "context": "the text of its `ContextKey`",
    "domain": "the key of its domain's limits, `-` without one",
    "module": "the bare name of its module",
    "bytes": "length of its JSON",
    "push": "the push that brought it",
    "pushed_at": "when it was first pushed",
    "queued_at": "since when it has been ready to run, in this attempt",
    "waited_ms": "how long it was ready to run before its earlier claims",
    "page_ms": "how long its earlier leases ran",
    "traffic": "what its earlier leases used of the network: requests, bytes in, bytes out",
    "backlog_stamp": "number of its valid backlog entry; entries with another number are void",
    "attempts_used": "attempts that were charged",
    "crashes": "how often its runner died, or its worker was lost, while it was claimed",
    "moves": "how often it moved to a context with other hosts or options",
    "past_attempts": "past attempts, one JSON object per line",
    "expires_at": "a handler must have begun by then",
    "begun": "1 once a handler has begun; the job does not expire any more",
    "cancel_requested": "1 once its cancellation was acknowledged while it ran",
    "ending": "how a job that is ending ends: `cancelled`, `expired` or `dead`",
    "defer_reason": "why a worker put it off without charge, while it waits",
    "token": "lease: the fencing token",
    "worker": "lease: who holds it",
    "entry": "lease: its pending entry in `ready`",
    "started_at": "lease: since when",
    "fence": "lease: the fence of its profile's lock",
    "permits": "lease: what it holds of limits beside its tenant's and domain's: `f` the fleet's, `m` its module's",
    "lease_traffic": "lease: what it had used of the network at the last heartbeat: requests, bytes in, bytes out",
    "progress": "lease: the newest step that its handler reported, as JSON",
    "used": "lease: what its attempt uses, as JSON; written when a handler begins",
    "once": "1 if `once:<job>` has side effects of this job",
    "batch": "`<tenant>/<batch>` of the batch that it belongs to",
    "history": "its transitions so far, one per line",
    "last_token": "the last token that was given up; a repeated call with it gets the same answer",
}
"""The fields of a job's record, `job:<job>` in Redis: name and meaning.

Lua gets the names as `JOB_FIELDS`. A test holds the Lua sources and docs/redis-keys.md against this table. Times are
milliseconds since the epoch on Redis' clock.
"""

USAGE_NUMBERS = (
    *("page_ms", "requests", "bytes_in", "bytes_out"),
    *("succeeded", "failed", "blocked", "timed_out", "rejected", "expired", "cancelled", "dead"),
)
"""What is counted of a tenant per hour, in the order in which Redis keeps the numbers: what jobs used, then how many
ended with each status."""

_CALLBACK_CODES = {name.removeprefix("callback_"): code for name, code in CALLBACK_CODES.items()}

FILES = (
    *("shard", "limits", "limits_table", "pause", "wakeup", "tenant", "shared_quota", "module", "fleet", "timer"),
    "clock_set_back",
    *("backlog", "browser_context", "profile_lock", "history", "once", "job", "cancellation", "push", "listing"),
    *("usage", "subscription", "budget", "batch"),
    *("dead_letter", "rejection", "claim_capacity", "fn_claim", "fn_lease", "fn_finish", "fn_enqueue", "fn_outbox"),
    *("fn_dead_letters", "fn_workers", "fn_pause", "fn_requests", "fn_open_requests", "fn_config", "fn_reports"),
    *("fn_inspect", "fn_tenants", "fn_profiles", "fn_demand", "fn_check_consistency", "fn_record", "fn_rollouts"),
    *("fn_profile_logins", "fn_access_tokens", "fn_progress", "fn_once", "fn_profile_cooling"),
    *("fn_subscriptions", "fn_batches", "fn_check_batches", "fn_apply_event"),
    "register",
)
"""The sources in their order, below the generated tables: a local name of Lua is known only below its definition."""

ENCLOSED = frozenset(
    (
        "pause",
        "wakeup",
        "tenant",
        "module",
        "fleet",
        "clock_set_back",
        "browser_context",
        "profile_lock",
        "history",
        "once",
        "cancellation",
        "push",
        "fn_config",
        "fn_tenants",
        "fn_profiles",
        "fn_profile_logins",
        "fn_access_tokens",
        "usage",
        "budget",
        "subscription",
        "fn_subscriptions",
        "fn_rollouts",
        "fn_once",
        "batch",
        "fn_batches",
        "fn_check_batches",
    )
)
"""Sources whose local names no other source uses. Each is a block of its own, because Lua takes 200 local names per
block at most (LUAI_MAXVARS in src/luaconf.h of Lua 5.1)."""


@dataclass(frozen=True)
class Library:
    """One version of the functions, for one prefix. Versions have different names and stand side by side."""

    name: str
    code: str

    def function(self, name: str) -> str:
        """The name that Redis knows a function by: names are global to a server."""
        return f"{self.name}_{name}"


@cache
def library(
    prefix: str,
    *,
    cluster: bool,
    test_clock: bool = False,
    lease_ms: int = LEASE_MS,
    outbox_lease_ms: int = OUTBOX_LEASE_MS,
) -> Library:
    """Join the sources. The name is the prefix and a digest of the text."""
    body = "\n".join((generated(), *map(_block, FILES)))
    body = _set(body, "CLUSTER", "false", str(cluster).lower())
    body = _set(body, "TEST_CLOCK", "false", str(test_clock).lower())
    body = _set(body, "LEASE_MS", "45000", str(lease_ms))
    body = _set(body, "TAKE_MS", "60000", str(outbox_lease_ms))
    digest = hashlib.blake2b(f"{prefix}\n{body}".encode(), digest_size=4).hexdigest()
    name = f"{re.sub('[^A-Za-z0-9]', '_', prefix)}_{digest}"
    code = body.replace("FUNCTION_PREFIX", f"{name}_")
    return Library(name, f"#!lua name={name}\n{code}")


def generated() -> str:
    """The tables of Python as Lua: states, events, transitions, fields, keys, schema version."""
    lines = [
        "-- Generated by queue/library.py from its tables and those of contract/job_state.py and profile_login.py.",
        f"local SCHEMA_VERSION = '{SCHEMA_VERSION}'",
        f"local State = {_lua_map({state.name: state.value for state in JobState})}",
        f"local Event = {_lua_map({event.name: event.value for event in JobEvent})}",
        f"local EVENT_CODE = {_lua_map({event.value: code for event, code in EVENT_CODES.items()})}",
        f"local CALLBACK_CODE = {_lua_map(_CALLBACK_CODES)}",
        *_lua_transitions("TRANSITIONS", TRANSITIONS),
        *_lua_transitions("LOGIN_TRANSITIONS", profile_login.TRANSITIONS),
        *batch_lua(),
        f"local JOB_FIELDS = {{ {', '.join(map(_lua_text, JOB_FIELDS))} }}",
        f"local USAGE_NUMBERS = {{ {', '.join(map(_lua_text, USAGE_NUMBERS))} }}",
        lua_keys(),
    ]
    return "\n".join(lines) + "\n"


def shard_key(root: str, name: str, *parts: str) -> str:
    """The key of this name on the shard of `root`; `parts` fill the pattern's placeholders in their order."""
    values = iter(parts)
    return f"{root}:{_PLACEHOLDER.sub(lambda _: next(values), SHARD_KEYS[name])}"


def lua_keys() -> str:
    """The table as Lua: `Key.<name>(…)`, and `Key.<name>_named(text)` if one text stands for all placeholders.

    `Key.use(root)` chooses the shard. Keys without placeholders are built once per shard: functions use them often.
    """
    fixed = {name: pattern for name, pattern in SHARD_KEYS.items() if "<" not in pattern}
    lines = [
        "local P -- prefix of the shard's keys",
        "local Key, fixed, fixed_of = {}, nil, {}",
        "function Key.use(root)",
        "  P = root .. ':'",
        "  fixed = fixed_of[root]",
        "  if not fixed then",
        "    fixed = { " + ", ".join(f"{name} = {_concatenated(fixed[name])}" for name in fixed) + " }",
        "    fixed_of[root] = fixed",
        "  end",
        "end",
        *(f"function Key.{name}() return fixed.{name} end" for name in fixed),
    ]
    for name, pattern in SHARD_KEYS.items():
        parameters = _PLACEHOLDER.findall(pattern)
        if parameters:
            lines.append(f"function Key.{name}({', '.join(parameters)}) return {_concatenated(pattern)} end")
        if len(parameters) > 1:
            start = pattern.partition("<")[0]
            lines.append(f"function Key.{name}_named(name) return P .. '{start}' .. name end")
    return "\n".join(lines)


def batch_lua() -> list[str]:
    """The tables of batches, as fields of one local name: `Batch`."""
    return [
        "local Batch = {",
        f"  State = {_lua_map({state.name: state.value for state in batch_state.BatchState})},",
        f"  Event = {_lua_map({event.name: event.value for event in batch_state.BatchEvent})},",
        f"  FIELDS = {{ {', '.join(map(_lua_text, BATCH_FIELDS))} }},",
        f"  STATUSES = {{ {', '.join(map(_lua_text, STATUSES))} }},",
        "}",
        *_lua_transitions("Batch.TRANSITIONS", batch_state.TRANSITIONS, local=""),
    ]


def _concatenated(pattern: str) -> str:
    """`a:<b>/<c>` is `P .. 'a:' .. b .. '/' .. c`."""
    pieces = re.split(r"(<[a-z]+>)", pattern)
    return "P .. " + " .. ".join(piece[1:-1] if piece.startswith("<") else f"'{piece}'" for piece in pieces if piece)


def _lua_transitions(name: str, table: TransitionTable[Any, Any], local: str = "local ") -> list[str]:
    """The lines of a table: `NAME.state.event` is the next state."""
    follows: dict[str, dict[str, str]] = {}
    for (state, event), after in table.items():
        follows.setdefault(state.value, {})[event.value] = after.value
    return [f"{local}{name} = {{", *(f"  {state} = {_lua_map(events)}," for state, events in follows.items()), "}"]


def _lua_map(texts: Mapping[str, str]) -> str:
    return "{ " + ", ".join(f"{name} = {_lua_text(text)}" for name, text in texts.items()) + " }"


def _lua_text(text: str) -> str:
    return f"'{text}'"


def _source(name: str) -> str:
    return files(__package__).joinpath("lua").joinpath(f"{name}.lua").read_text(encoding="utf-8")


def _block(name: str) -> str:
    return f"do\n{_source(name)}end\n" if name in ENCLOSED else _source(name)


def _set(body: str, name: str, default: str, value: str) -> str:
    line = f"local {name} = {default} "
    if body.count(line) != 1:
        raise LookupError(f"the library sets {name} {body.count(line)} times")
    return body.replace(line, f"local {name} = {value} ")
