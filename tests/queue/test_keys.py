"""The one table of keys: its names in Python, in Lua, and in the document."""

import re
from pathlib import Path

import pytest

from pageworker_supervisor.queue.keys import SHARD_KEYS, lua_keys, shard_key

ROOT = Path(__file__).parents[2]
LUA = ROOT / "supervisor" / "pageworker_supervisor" / "queue" / "lua"


def test_parts_fill_the_pattern_in_order() -> None:
    assert shard_key("pw:{0}", "backlog", "acme", "~e", "shop.test", "h") == "pw:{0}:backlog:acme/~e/shop.test:h"
    assert shard_key("pw:{3}", "meta") == "pw:{3}:meta"


def test_each_key_is_a_function_of_lua() -> None:
    text = lua_keys()
    assert "function Key.meta() return fixed.meta end" in text
    assert " meta = P .. 'meta'," in text
    assert "function Key.open_contexts(tenant, priority) return P .. 'open:' .. tenant .. ':' .. priority end" in text
    assert "function Key.profile_named(name) return P .. 'profile:' .. name end" in text


def test_lua_uses_every_key_and_spells_none() -> None:
    sources = {file.name: file.read_text() for file in LUA.glob("*.lua")}
    used = {name for text in sources.values() for name in re.findall(r"\bKey\.(\w+)\(", text)}
    known = {"use", *SHARD_KEYS, *(f"{name}_named" for name in SHARD_KEYS)}
    assert used <= known
    assert set(SHARD_KEYS) <= {name.removesuffix("_named") for name in used}
    # The probe of Shard.enter names two keys that never exist.
    spelled = [
        f"{name}: {line}" for name, text in sources.items() for line in re.findall(r"\bP \.\. '(?!absent:).*", text)
    ]
    assert not spelled


def test_the_document_names_exactly_these_keys() -> None:
    document = (ROOT / "docs" / "redis-keys.md").read_text()
    named = re.findall(r"^\| `pw:\{<N>\}:([^`]+)`", document, flags=re.MULTILINE)
    assert sorted(named) == sorted(SHARD_KEYS.values())


@pytest.mark.parametrize("name", list(SHARD_KEYS))
def test_no_two_keys_of_the_table_can_be_the_same_key(name: str) -> None:
    fixed = {other: pattern for other, pattern in SHARD_KEYS.items() if "<" not in pattern}
    assert len(set(SHARD_KEYS.values())) == len(SHARD_KEYS)
    # A fixed name may look like a filled pattern only where the filled part never has that form.
    pattern = re.compile(re.sub(r"<[a-z]+>", "[^/:]+", SHARD_KEYS[name]))
    assert not [other for other, text in fixed.items() if other != name and pattern.fullmatch(text)]
