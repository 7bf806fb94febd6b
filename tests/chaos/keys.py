"""Whether a key is one that docs/redis-keys.md names, and whether it may stay when all work is done."""

import re
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "redis-keys.md"
STANDING = re.compile(
    r"pw:\{\d+\}:(results|dead(:weight|:of:.*)?|ready|meta|workers)|pw:jobs|pw:registry:\w+|\{pw:inbox\}:workers"
)
"""Without a time to live, bounded by other means."""


def named_keys() -> re.Pattern[str]:
    """All keys of the document, placeholders being anything."""
    rows = re.findall(r"^\| `([^`]+)` \|", DOCUMENT.read_text(), re.MULTILINE)
    patterns = []
    for row in rows:
        words = re.split(r"(<N>|<p>|<[a-z]+>)", row)
        holes = {"<N>": r"\d+", "<p>": "[hml]"}
        patterns.append("".join(holes.get(w, ".*") if w.startswith("<") else re.escape(w) for w in words))
    return re.compile("|".join(patterns))


def strays(keys: dict[str, int]) -> list[str]:
    """What is wrong with keys that are left, given with their TTL in seconds (below 0: none)."""
    named = named_keys()
    return [
        f"key {key} is not in {DOCUMENT.name}" if not named.fullmatch(key) else f"key {key} stays for ever"
        for key, ttl in keys.items()
        if not named.fullmatch(key) or (ttl < 0 and not STANDING.fullmatch(key))
    ]
