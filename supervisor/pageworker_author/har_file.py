"""The HAR file of a test: what is kept of a recording, and what a bundle needs to answer from it. Pure.

A file has the same bytes however long the requests took and whenever they were made, so that a version control system
shows what a site has changed. Format: HAR 1.2 (w3c.github.io/web-performance/specs/HAR).
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urljoin

ENTRY_HEADER = "x-pageworker-entry"
"""Tells the runner's HAR archive which entry is meant: it chooses by headers among those with equal URLs."""
REDIRECTS = frozenset((301, 302, 303, 307, 308))
CHANGING = frozenset({"age", "date", "expires", "last-modified"})
"""Headers that differ from answer to answer."""
UNTIMED = "1970-01-01T00:00:00.000Z"
PLACEHOLDER = "PAGEWORKERSECRET"
"""Letters of base32, so that a placeholder is a seed of one-time passwords as well, and no URL escapes them."""

_MASK = re.compile(r"\(secret ([A-Za-z0-9_.-]+)\)")


class HarFileUnusable(ValueError):
    """The text is no HAR file."""


def placeholder(name: str) -> str:
    """The value of a secret when a test replays. In a HAR file it stands where the secret was."""
    return PLACEHOLDER + base64.b32encode(hashlib.sha256(name.encode()).digest())[:8].decode()


def har_text(recorded: bytes) -> bytes:
    """The file of a recording, as `helpers.har` gave it. Raises HarFileUnusable.

    The worker has masked the secrets of the job: each mask becomes the placeholder of that secret.
    """
    text = _MASK.sub(lambda mask: placeholder(mask[1]), recorded.decode("utf-8", "replace"))
    log = {
        "version": "1.2",
        "creator": {"name": "pageworker", "version": "1"},
        # What was not answered when the recording ended has no status.
        "entries": [_kept(entry) for entry in _entries(text) if entry["response"]["status"] > 0],
    }
    return json.dumps({"log": log}, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def replay_files(har: bytes | None) -> dict[str, bytes]:
    """`replay.har` and `index.json`, from which a bundle answers. None: there is no file, so nothing is answered.

    An entry of the index has `method`, `url`, `body` (a text that the request must have, or null: any) and `follows`:
    the numbers of the entries to which it redirects. Raises HarFileUnusable.
    """
    entries = [] if har is None else list(_entries(har.decode("utf-8", "replace")))
    chains = [list(_redirects(entries, number)) for number in range(len(entries))]
    index = [
        {
            "method": entry["request"]["method"],
            "url": entry["request"]["url"],
            "body": _compared_body(entry["request"]),
            "follows": chain,
        }
        for entry, chain in zip(entries, chains, strict=True)
    ]
    answered = [
        {"request": _as_asked(entry["request"], number, chains), "response": entry["response"]}
        for number, entry in enumerate(entries)
    ]
    return {
        "replay.har": json.dumps({"log": {"entries": answered}}).encode(),
        "index.json": json.dumps(index).encode(),
    }


def _entries(text: str) -> Iterator[dict[str, Any]]:
    try:
        entries = json.loads(text)["log"]["entries"]
        for entry in entries:
            request, response = entry["request"], entry["response"]
            if isinstance(request["url"], str) and isinstance(request["method"], str) and int(response["status"]):
                yield entry
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise HarFileUnusable(f"no HAR file: {type(error).__name__} {error}") from error


def _kept(entry: Mapping[str, Any]) -> dict[str, Any]:
    request, response = entry["request"], entry["response"]
    kept_request = {
        **{key: request.get(key, default) for key, default in (("method", "GET"), ("url", ""), ("queryString", []))},
        "httpVersion": "HTTP/1.1",
        # They name the browser that recorded, and a replay does not compare them.
        "headers": [],
        "cookies": [],
        "headersSize": -1,
        "bodySize": -1,
    }
    if isinstance(request.get("postData"), Mapping):
        kept_request["postData"] = {key: request["postData"].get(key, "") for key in ("mimeType", "text")}
    return {
        "startedDateTime": UNTIMED,
        "time": 0,
        "timings": {"send": 0, "wait": 0, "receive": 0},
        "cache": {},
        "request": kept_request,
        "response": {
            "status": response["status"],
            "statusText": response.get("statusText", ""),
            "httpVersion": "HTTP/1.1",
            "headers": [header for header in response.get("headers", ()) if header["name"].lower() not in CHANGING],
            "cookies": [],
            "content": _content(response.get("content", {})),
            "redirectURL": response.get("redirectURL", ""),
            "headersSize": -1,
            "bodySize": -1,
        },
    }


def _content(content: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: content[key] for key in ("mimeType", "text", "encoding", "size") if key in content}
    if kept.get("encoding") == "base64" and PLACEHOLDER in kept.get("text", ""):
        # A mask within base64 is not base64 any more.
        return {"mimeType": kept.get("mimeType", ""), "size": 0, "text": "", "comment": "left out: it held a secret"}
    return kept


def _compared_body(request: Mapping[str, Any]) -> str | None:
    """The text of a POST, unless it differs from run to run: with secrets, and with random boundaries."""
    body = request.get("postData") or {}
    text, kind = body.get("text"), str(body.get("mimeType", ""))
    if request["method"] != "POST" or not text or PLACEHOLDER in text or kind.startswith("multipart/"):
        return None
    return str(text)


def _as_asked(request: Mapping[str, Any], number: int, chains: Sequence[Sequence[int]]) -> dict[str, Any]:
    """The request with the numbers of all entries that it answers, in place of its own headers and its body."""
    numbers = [number, *(first for first, chain in enumerate(chains) if number in chain)]
    headers = [{"name": ENTRY_HEADER, "value": str(each)} for each in numbers]
    return {"method": request["method"], "url": request["url"], "headers": headers}


def _redirects(entries: Sequence[Mapping[str, Any]], number: int) -> Iterator[int]:
    """The entries that follow a redirect, each the next one with the address that the one before names."""
    at = number
    while (target := _location(entries[at])) is not None:
        wanted = urljoin(entries[at]["request"]["url"], target)
        after = range(at + 1, len(entries))
        found = next((each for each in after if _same_address(entries[each]["request"]["url"], wanted)), None)
        if found is None:
            return
        yield found
        at = found


def _location(entry: Mapping[str, Any]) -> str | None:
    response = entry["response"]
    if response["status"] not in REDIRECTS:
        return None
    headers = response.get("headers", ())
    return next((header["value"] for header in headers if header["name"].lower() == "location"), None)


def _same_address(url: str, wanted: str) -> bool:
    return url.partition("#")[0].rstrip("/") == wanted.partition("#")[0].rstrip("/")
