"""Checks the keys that are left: docs/redis-keys.md names each, and only the bounded ones have no time to live."""

import re
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "redis-keys.md"
STANDING = re.compile(
    r"pw:\{\d+\}:(results|dead(:weight|:of:.*)?|ready|meta|workers|worker_reports|drains|audit(:head)?|limits(:brought|:workers)?|fleet|paused|config(:meta|:history)?|profile_store:.*|rollouts|rollout_changes|batches|batches_due)|pw:jobs|pw:registry:\w+|\{pw:inbox\}:workers"
)
"""Keys without a time to live, whose size is bounded in another way."""


def named_keys() -> re.Pattern[str]:
    """A pattern for all keys of the document. A placeholder matches any text."""
    rows = re.findall(r"^\| `([^`]+)` \|", DOCUMENT.read_text(), re.MULTILINE)
    patterns = []
    for row in rows:
        words = re.split(r"(<N>|<p>|<[a-z]+>)", row)
        holes = {"<N>": r"\d+", "<p>": "[hml]"}
        patterns.append("".join(holes.get(w, ".*") if w.startswith("<") else re.escape(w) for w in words))
    return re.compile("|".join(patterns))


def strays(keys: dict[str, int]) -> list[str]:
    """One line per wrong key. `keys`: TTL in seconds by key; below 0 for none."""
    named = named_keys()
    return [
        f"key {key} is not in {DOCUMENT.name}" if not named.fullmatch(key) else f"key {key} has no time to live"
        for key, ttl in keys.items()
        if not named.fullmatch(key) or (ttl < 0 and not STANDING.fullmatch(key))
    ]
