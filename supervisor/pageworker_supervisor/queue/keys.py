"""The keys of a shard: the one table of their names, for Python and Lua.

`queue/library.py` makes a Lua function of each (`Key.backlog(tenant, context, domain, priority)`), so no other file
spells a key. docs/redis-keys.md explains them, and a test holds that document against this table. `results` and `dead`
are part of the contract with other systems; all others are the project's own.
"""

import re

SHARD_KEYS = {
    "meta": "meta",
    "clock": "clock",
    # jobs
    "job": "job:<job>",
    "body": "body:<job>",
    "done": "done:<job>",
    "kept": "kept:<job>",
    "backlog": "backlog:<tenant>/<context>/<domain>:<priority>",
    "delayed": "delayed",
    "expiry": "expiry",
    "ending": "ending",
    "ready": "ready",
    "leases": "leases",
    "listed": "listed:<index>",
    "rejected": "rejected",
    "repeated": "repeated",
    "cancellations": "cancellations",
    "cancellation_counts": "cancellations:counts",
    # fairness and limits
    "tenant": "tenant:<tenant>",
    "active": "active",
    "parked": "parked",
    "open_contexts": "open:<tenant>:<priority>",
    "context": "context:<tenant>/<context>:<priority>",
    "domain": "domain:<domain>",
    "parked_tenants": "domain:<domain>:parked",
    "parked_backlogs": "domain:<domain>:parked:<tenant>",
    "timers": "timers",
    # profiles and workers
    "profile": "profile:<tenant>/<profile>",
    "profile_contexts": "profile_contexts:<tenant>/<profile>",
    "profile_locks": "profile_locks",
    "held_contexts": "held_contexts:<tenant>",
    "waiting_contexts": "waiting_contexts",
    "workers": "workers",
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
}
"""Name in the code, and pattern below the shard's root `<prefix>:{<shard>}`."""

_PLACEHOLDER = re.compile(r"<([a-z]+)>")


def shard_key(root: str, name: str, *parts: str) -> str:
    """The key of this name on the shard of `root`; `parts` fill the pattern's placeholders in their order."""
    values = iter(parts)
    return f"{root}:{_PLACEHOLDER.sub(lambda _: next(values), SHARD_KEYS[name])}"


def lua_keys() -> str:
    """The table as Lua: `Key.<name>(…)`, and `Key.<name>_named(text)` where one text stands for all placeholders.

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


def _concatenated(pattern: str) -> str:
    """`a:<b>/<c>` is `P .. 'a:' .. b .. '/' .. c`."""
    pieces = re.split(r"(<[a-z]+>)", pattern)
    return "P .. " + " .. ".join(piece[1:-1] if piece.startswith("<") else f"'{piece}'" for piece in pieces if piece)
