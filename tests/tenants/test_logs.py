"""What tenant A writes is logged as A's, on one line, and cannot control a terminal. The worker logs text lines."""

import asyncio
import json
import re
import shlex
import unicodedata
from collections.abc import AsyncIterator

import pw_tenants
import pytest_asyncio
from pw_tenants import Home, home_with

pytestmark = pw_tenants.MARKS

WRITES = "tenants.writes"
OF_B = "team-b"
FORGED = f"12:00:00.000 INFO    job ended  worker_id=w1 job={OF_B}/b-1 tenant_id={OF_B} status=failed"
ESCAPES = "\x1b[2J\x1b[1;1H\x1b]0;owned\x07\x9b31m\x7f\x08\r\u202eevil\u2066\u2028\u0085"
MARKUP = "[bold red]x[/bold red] [/] [link=http://evil.example]y[/link]"
STARTS = re.compile(r"\d\d:\d\d:\d\d\.\d{3} (DEBUG|INFO|WARNING|ERROR) {1,4}\S|    \| ")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def loud() -> AsyncIterator[Home]:
    """A worker that logs text lines."""
    async with home_with(log={"format": "text", "level": "debug"}) as opened:
        yield opened


def log_lines(home: Home) -> list[str]:
    """What stands in the log so far, by line feeds alone."""
    return home.daemon.log_file.read_bytes().decode().split("\n")


def controls(text: str) -> list[str]:
    """Characters that control a terminal or the text direction, by their Unicode category."""
    bidi = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    hidden = ("Cc", "Cs", "Zl", "Zp")
    return [
        c for c in text if c != "\n" and (unicodedata.category(c) in hidden or unicodedata.bidirectional(c) in bidi)
    ]


async def ends_of(home: Home, job_id: str) -> list[str]:
    """The log's lines on the end of this job of B, once there is one: the log comes a moment after the result."""
    async with asyncio.timeout(10):
        while True:
            ends = [line for line in log_lines(home) if " job ended  " in line]
            if found := [line for line in ends if f"job={OF_B}/{job_id}" in fields_of(line)]:
                return found
            await home.turn()


def fields_of(line: str) -> list[str]:
    """`name=value` of a text line; quoted values are one, whatever is in them."""
    return shlex.split(line[21:].partition("  ")[2])


async def test_a_cannot_write_a_line_that_looks_like_bs(loud: Home) -> None:
    """A logs, prints and raises line feeds and a made-up end of B's job; B's job ends once in the log, as it did."""
    a, b, job_id = loud.a, loud.b, loud.fresh("forged")
    for name in ("log", "print", "error", "raises"):
        job = a.job(f"{job_id}-{name}", WRITES, {name: f"hello\n{FORGED}\r\n{FORGED}\u2028{FORGED}"})
        await a.push(job)
        await a.result(f"{job_id}-{name}")
    await b.run(job_id)
    assert ["status=succeeded" in fields_of(line) for line in await ends_of(loud, job_id)] == [True]
    lines = log_lines(loud)
    assert [line for line in lines if line.startswith("12:00:00.000")] == []
    assert all(STARTS.match(line) for line in lines if line)


async def test_a_cannot_add_fields_to_its_lines(loud: Home) -> None:
    """A's message and its own fields name B's tenant and job; what the worker says of the line is A's alone."""
    a, job_id = loud.a, loud.fresh("fields")
    fake = f"x  tenant_id={OF_B} job={OF_B}/b-1"
    payload = {"log": fake, "fields": {"note": fake, f"z tenant_id={OF_B}": "y", "tenant_id": OF_B}}
    await a.push(a.job(job_id, WRITES, payload))
    await a.result(job_id)
    await loud.b.run(job_id)
    await ends_of(loud, job_id)
    (line,) = [line for line in log_lines(loud) if f"job={a.name}/{job_id}" in fields_of(line) and "module: x" in line]
    names = [field for field in fields_of(line) if field.startswith(("tenant_id=", "job="))]
    assert sorted(names) == [f"job={a.name}/{job_id}", f"tenant_id={a.name}"]


async def test_no_terminal_obeys_what_a_logs(loud: Home) -> None:
    """A logs what clears a screen, renames a window and turns text around; the log shows it and B's lines stay seen."""
    a, b, job_id = loud.a, loud.b, loud.fresh("escapes")
    for name in ("log", "print", "error", "raises"):
        await a.push(a.job(f"{job_id}-{name}", WRITES, {name: f"seen {ESCAPES}"}))
        await a.result(f"{job_id}-{name}")
    await b.run(job_id)
    await ends_of(loud, job_id)
    text = loud.daemon.log_file.read_bytes().decode()
    assert controls(text) == []
    assert text.count("seen \\x1b[2J\\x1b[1;1H\\x1b]0;owned\\x07\\x9b31m\\x7f\\x08\\r\\u202eevil\\u2066") >= 3


async def test_bs_lines_are_whole_beside_a_flood_of_as(loud: Home) -> None:
    """A writes long lines without end, some without a line feed; every line of B's jobs is whole and its own."""
    a, b, job_id = loud.a, loud.b, loud.fresh("flood")
    flood = a.job(f"{job_id}-a", WRITES, {"print": "y" * 20_000 + ESCAPES, "lines": 300})
    await a.push(flood)
    for number in range(5):
        await b.run(f"{job_id}-{number}")
    await a.result(f"{job_id}-a")
    for number in range(5):
        ends = await ends_of(loud, f"{job_id}-{number}")
        assert ["status=succeeded" in fields_of(line) for line in ends] == [True]
    assert all(STARTS.match(line) for line in log_lines(loud)[:-1])


async def test_as_errors_are_text_in_results(loud: Home) -> None:
    """A's exception holds escapes, markup and a made-up row; `results` shows B's row once, and A's on its own row."""
    a, b, job_id = loud.a, loud.b, loud.fresh("errors")
    row = f"{OF_B}/{job_id}  tenants.say  failed  0.01 s  stolen"
    await a.push(a.job(job_id, WRITES, {"raises": f"{MARKUP}\n{row}{ESCAPES}"}))
    await a.result(job_id)
    await b.run(job_id)
    _, listed = await loud.workerctl("results", "--count", "50")
    assert controls(listed) == []
    assert [line.split()[2] for line in listed.splitlines() if line.startswith(f"{OF_B}/{job_id} ")] == ["succeeded"]
    for words in ((), ("--json",)):
        code, shown = await loud.workerctl("results", f"{a.name}/{job_id}", *words)
        assert code == 0
        assert controls(shown) == []
        assert MARKUP in json.loads(shown)["error"]["message"]
        assert not [line for line in shown.splitlines() if line.startswith(OF_B)]


async def test_as_meta_is_the_same_and_harmless(loud: Home) -> None:
    """A's meta holds escapes and markup; programs read it unchanged, terminals see it, B's meta is B's."""
    a, b, job_id = loud.a, loud.b, loud.fresh("meta")
    meta = {"note": f"{ESCAPES}{MARKUP}", ESCAPES: "key"}
    await a.push(a.say(job_id, meta=meta))
    await b.push(b.say(job_id, meta={"note": "plain"}))
    assert (await a.result(job_id))["meta"] == meta
    for tenant, wanted in ((a, meta), (b, {"note": "plain"})):
        for words in ((), ("--json",)):
            _, shown = await loud.workerctl("results", f"{tenant.name}/{job_id}", *words)
            assert controls(shown) == []
            assert json.loads(shown)["meta"] == wanted


async def test_as_dead_letters_are_rows_of_their_own(loud: Home) -> None:
    """A pushes texts that are no jobs, with escapes and made-up rows in names and values; B's letter is one row."""
    a, b, job_id = loud.a, loud.b, loud.fresh("dead")
    row = f"0-1-1  {OF_B}/{job_id}  forged"
    nasty = (
        json.dumps({"job_id": f"x\n{row}", "tenant_id": a.name, "endpoint_module": "m"}),
        json.dumps({"job_id": f"{job_id}-1", "tenant_id": a.name, f"y\n{row}{ESCAPES}": 1}, ensure_ascii=False),
        f"no json {MARKUP}\n{row}\n{ESCAPES}",
    )
    await a.push(*nasty, b.broken(job_id))
    await b.result(job_id)
    code, listed = await loud.workerctl("dead", "list")
    assert code == 0
    assert controls(listed) == []
    assert not [line for line in listed.splitlines() if line.startswith("0-1-1 ")]
    head, *rows = listed.splitlines()
    assert head.startswith("ID")
    _, as_json = await loud.workerctl("dead", "list", "--json")
    assert controls(as_json) == []
    letters = json.loads(as_json)
    assert len(rows) == len(letters)
    assert [letter["tenant_id"] for letter in letters if letter["job_id"] == job_id] == [OF_B]
    assert set(nasty) <= {letter["job"] for letter in letters}, "kept as they were"
    for letter in letters:
        _, shown = await loud.workerctl("dead", "show", letter["id"])
        assert controls(shown) == []
        assert json.loads(shown)["job"] == letter["job"]


async def test_a_rejection_quotes_a_on_one_line(loud: Home) -> None:
    """A's wrong value is quoted in its result, in its event and in the log; none of them has a line of A's making."""
    a, job_id = loud.a, loud.fresh("quoted")
    text = a.say(job_id, priority=f"{ESCAPES}\n{FORGED}")
    await a.push(text)
    result = await a.result(job_id)
    assert result["status"] == "rejected"
    assert controls(result["error"]["message"]) == []
    assert "\n" not in result["error"]["message"]
    await a.event("rejected", job_id)
    assert all(STARTS.match(line) for line in log_lines(loud) if line)
    assert controls("\n".join(log_lines(loud))) == []
