"""The one table of a job's fields: Lua uses each, uses no other, and the document explains them in its words."""

import re
from pathlib import Path

from pageworker_supervisor.queue.job_fields import JOB_FIELDS

ROOT = Path(__file__).parents[2]
LUA = ROOT / "supervisor" / "pageworker_supervisor" / "queue" / "lua"


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


def test_every_field_of_the_table_is_used() -> None:
    text = lua_text()
    assert [name for name in JOB_FIELDS if f"'{name}'" not in text and f"job.{name}" not in text] == []


def test_the_document_has_the_same_table() -> None:
    document = (ROOT / "docs" / "redis-keys.md").read_text()
    section = document.partition("## Fields of a job")[2].partition("\n## ")[0]
    assert dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", section, flags=re.MULTILINE)) == JOB_FIELDS
