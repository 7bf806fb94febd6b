"""A job's history as rows for people: what happened, when, where, and what it used. Pure."""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

from pageworker_supervisor.contract.job_history import EVENT_WORDS, HistoryLine
from pageworker_supervisor.queue.job_details import JobDetails

HEADS = ("TIME", "AFTER", "WHAT", "WORKER", "ATTEMPT", "DETAILS")
_OF_LEASE = ("claim", "begin")


def completed(details: JobDetails) -> list[HistoryLine]:
    """The history with the facts of its lease at each claim and each beginning. Redis keeps them at the end of a
    lease, and those of the present one in the job's record."""
    facts: dict[str, Any] = {}
    if details.state in ("running", "storing", "finishing"):
        facts = {"worker": details.worker, "token": details.token}
        if details.used:
            facts["used"] = details.used
    lines: list[HistoryLine] = []
    for line in reversed(details.history):
        if line.event in _OF_LEASE:
            known = {name: fact for name, fact in facts.items() if name in ("worker", "token") or line.event == "begin"}
            lines.append(HistoryLine(event=line.event, at_ms=line.at_ms, facts=known))
            if line.event == "claim":
                facts = {}
            continue
        if "token" in line.facts:
            facts = line.facts
        lines.append(line)
    return lines[::-1]


def rows(lines: Sequence[HistoryLine]) -> Iterator[tuple[object, ...]]:
    """One row per line, in the columns HEADS. Times are UTC; AFTER is seconds since the line before."""
    before: int | None = None
    for line in lines:
        if line.event == "dropped":
            yield ("…", "", f"{line.dropped} transitions are not kept", "", "", "")
            continue
        used = line.facts.get("used")
        used = used if isinstance(used, dict) else {}
        after = "" if before is None or line.at_ms is None else f"+{(line.at_ms - before) / 1000:.3f} s"
        before = line.at_ms or before
        yield (
            _time(line.at),
            after,
            EVENT_WORDS.get(line.event, line.event),
            line.facts.get("worker") or "",
            used.get("attempt") or "",
            _details(line, used),
        )


def _time(at: dt.datetime | None) -> str:
    return at.isoformat(timespec="milliseconds").removesuffix("+00:00") if at is not None else "?"


def _details(line: HistoryLine, used: dict[str, Any]) -> str:
    facts = line.facts
    if line.event == "claim":
        return f"lease {facts['token']}" if facts.get("token") else ""
    pieces: list[str] = []
    if line.event == "begin" or line.event not in _OF_LEASE:
        pieces += _used(used, whole=line.event == "begin")
    for name, word in (("status", "HTTP "), ("tries", "try "), ("reason", ""), ("text", "")):
        if facts.get(name) not in (None, ""):
            pieces.append(f"{word}{facts[name]}")
    return ", ".join(pieces)


def _used(used: dict[str, Any], *, whole: bool) -> Iterator[str]:
    """`whole`: also what the attempt began with."""
    if whole and used.get("module"):
        yield f"{used['module']}@{used.get('module_version')} sha256 {str(used.get('module_digest'))[:16]}"
    if whole:
        for name, word in (("config_version", "config"), ("runner_id", "runner"), ("page", "page")):
            if used.get(name) is not None:
                yield f"{word} {used[name]}"
    if used.get("outcome"):
        yield str(used["outcome"])
    if used.get("error"):
        yield str(used["error"])
    if used.get("proxy"):
        yield f"proxy {used['proxy']}"
    for name, word in (("secrets", "secret"), ("artifacts", "artifact")):
        found = used.get(name)
        if not whole and isinstance(found, list):
            yield from (f"{word} {each}" for each in found)
    if not whole and used.get("left_out"):
        yield f"and {used['left_out']} more"
