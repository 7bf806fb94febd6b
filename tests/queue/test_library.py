"""The functions' text itself: what Redis finds out only when a line runs, half-way through a transition; its tables."""

import re
from pathlib import Path

import pytest

from pageworker_supervisor.queue.batch_tables import BATCH_FIELDS
from pageworker_supervisor.queue.library import ENCLOSED, FILES, JOB_FIELDS, SHARD_KEYS, library, lua_keys, shard_key

ROOT = Path(__file__).parents[2]
LUA = ROOT / "supervisor" / "pageworker_supervisor" / "queue" / "lua"

GIVEN = {
    *(
        "cjson",
        "cmsgpack",
        "error",
        "ipairs",
        "math",
        "next",
        "pairs",
        "pcall",
        "redis",
        "require",
        "setmetatable",
        "string",
        "table",
    ),
    *("tonumber", "tostring", "type", "unpack"),
}
WORDS = {
    *("and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in", "local", "nil", "not"),
    *("or", "repeat", "return", "then", "true", "until", "while", "self"),
}
NAME = r"[A-Za-z_]\w*"


def test_no_line_uses_a_name_that_is_not_defined_above_it() -> None:
    """A global that is not there is an error when its line runs; functions are not rolled back."""
    defined = set(GIVEN)
    unknown: list[str] = []
    for number, line in enumerate(_code().splitlines(), 1):
        for names in re.findall(rf"\blocal (?:function )?({NAME}(?:, {NAME})*)", line):
            defined |= set(names.split(", "))
        for names in re.findall(rf"\bfor ({NAME}(?:, {NAME})*)", line):
            defined |= set(names.split(", "))
        for names in re.findall(r"\bfunction ?[\w.:]*\(([^)]*)\)", line):
            defined |= set(names.split(", "))
        for name in re.findall(rf"(?<![\w.:])({NAME})\b(?! =[^=])", line):
            if name not in defined | WORDS:
                unknown.append(f"{number}: {name}: {line.strip()}")
    assert not unknown


def test_no_source_uses_a_local_name_of_a_block_of_another() -> None:
    """Redis would only find out when the line runs."""
    texts = {name: _without_texts((LUA / f"{name}.lua").read_text()) for name in FILES}
    used: list[str] = []
    for name in ENCLOSED:
        own = set(re.findall(rf"^local (?:function )?({NAME}(?:, {NAME})*)", texts[name], flags=re.MULTILINE))
        for local in {one for names in own for one in names.split(", ")}:
            used += [
                f"{other}: {local} of {name}"
                for other, text in texts.items()
                if other != name
                and re.search(rf"(?<![\w.:]){local}\b(?! =[^=])", text)
                and not re.search(rf"\b(?:local|for|function)\b[^\n=]*\b{local}\b", text)
            ]
    assert not used


def test_more_names_would_fit() -> None:
    """Lua refuses a block with more than 200 local names."""
    blocks = [(LUA / f"{name}.lua").read_text() for name in FILES if name not in ENCLOSED]
    names = re.findall(rf"^local (?:function )?({NAME}(?:, {NAME})*)", "\n".join(blocks), flags=re.MULTILINE)
    assert sum(len(each.split(", ")) for each in names) <= 185


def test_the_name_says_which_text_and_prefix_it_is() -> None:
    names = {library(prefix, cluster=cluster).name for prefix in ("pw", "p-w") for cluster in (False, True)}
    assert len(names) == 4
    assert all(re.fullmatch(r"[A-Za-z0-9_]+", name) for name in names)
    assert library("pw", cluster=False) == library("pw", cluster=False)


def test_production_does_not_know_the_tests_clock() -> None:
    assert "local TEST_CLOCK = false" in library("pw", cluster=False).code
    assert "local TEST_CLOCK = true" in library("pw", cluster=False, test_clock=True).code


def _code() -> str:
    return _without_texts(library("pw", cluster=False).code)


def _without_texts(code: str) -> str:
    return re.sub(r"'[^'\n]*'", "''", re.sub(r"(--|#!)[^\n]*", "", code))


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
    used = {name for text in sources.values() for name in re.findall(r"\bKey\.(\w+)", text)}
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
    # A fixed name may look like a filled pattern only if the filled part never has that form.
    pattern = re.compile(re.sub(r"<[a-z]+>", "[^/:]+", SHARD_KEYS[name]))
    assert not [other for other, text in fixed.items() if other != name and pattern.fullmatch(text)]


def lua_text() -> str:
    """All sources, without comments."""
    return "\n".join(re.sub(r"--[^\n]*", "", file.read_text()) for file in sorted(LUA.glob("*.lua")))


def test_lua_reads_and_writes_no_field_that_is_not_in_the_table() -> None:
    text = lua_text()
    read = set(re.findall(r"(?<!request\.)\bjob\.(\w+)", text))
    written = set()
    for arguments in re.findall(r"'H(?:SET|DEL|GET|MGET|INCRBY)', Key\.job\([^)]*\),(.*?)\)", text, flags=re.DOTALL):
        written |= set(re.findall(r"'(\w+)'(?=,|\s|$)", arguments))
    assert read | written <= set(JOB_FIELDS)
    own = {"state", *BATCH_FIELDS}
    assert set(re.findall(r"\b(?<!new\.)(?<!request\.)(?<!row\.)(?<!job\.)batch\.(\w+)", text)) <= own


def test_every_field_of_the_table_is_used() -> None:
    text = lua_text()
    assert [name for name in JOB_FIELDS if f"'{name}'" not in text and f"job.{name}" not in text] == []


def test_the_document_has_the_same_table() -> None:
    document = (ROOT / "docs" / "redis-keys.md").read_text()
    for title, table in (("job", JOB_FIELDS), ("batch", BATCH_FIELDS)):
        section = document.partition(f"## Fields of a {title}\n")[2].partition("\n## ")[0]
        assert dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", section, flags=re.MULTILINE)) == table
