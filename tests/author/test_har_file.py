"""A HAR file of a test: the same bytes for the same answers, without secrets, and complete enough to answer from."""

import json
from typing import Any

import pytest

from pageworker_author.har_file import (
    ENTRY_HEADER,
    HarFileUnusable,
    har_text,
    placeholder,
    replay_files,
)
from pageworker_supervisor.secrets.totp import parse_seed

SHOP = "http://shop.example"


def entry(
    url: str, method: str = "GET", status: int = 200, location: str = "", body: str = "", **more: Any
) -> dict[str, Any]:
    headers = [{"name": "Date", "value": "now"}, {"name": "X-Kept", "value": "1"}]
    if location:
        headers.append({"name": "Location", "value": location})
    request: dict[str, Any] = {"method": method, "url": SHOP + url, "headers": [{"name": "Accept", "value": "*/*"}]}
    if body:
        request["postData"] = {"mimeType": more.pop("kind", "application/x-www-form-urlencoded"), "text": body}
    content = more.pop("content", {"mimeType": "text/html", "text": "<p>", "size": 3})
    response = {"status": status, "statusText": "OK", "headers": headers, "content": content, "redirectURL": location}
    return {"startedDateTime": more.pop("at", "2026-01-01"), "time": 5, "request": request, "response": response}


def har(*entries: dict[str, Any]) -> bytes:
    return json.dumps({"log": {"version": "1.2", "entries": list(entries)}}).encode()


def index_of(*entries: dict[str, Any]) -> list[dict[str, Any]]:
    index: list[dict[str, Any]] = json.loads(replay_files(har(*entries))["index.json"])
    return index


def test_times_do_not_change_the_bytes() -> None:
    assert har_text(har(entry("/", at="2026-01-01"))) == har_text(har(entry("/", at="2027-01-01")))
    text = har_text(har(entry("/")))
    assert b"X-Kept" in text
    assert b"Date" not in text.replace(b"startedDateTime", b"")
    assert b"Accept" not in text
    assert har_text(text) == text


def test_a_request_without_an_answer_is_left_out() -> None:
    assert json.loads(har_text(har(entry("/a", status=-1), entry("/b"))))["log"]["entries"][0]["request"]["url"] == (
        f"{SHOP}/b"
    )


def test_a_mask_becomes_the_placeholder_that_a_replay_gives_to_the_module() -> None:
    text = har_text(har(entry("/login", "POST", body="user=ada&password=(secret shop_login)")))
    assert placeholder("shop_login").encode() in text
    assert b"(secret" not in text
    assert placeholder("shop_login") != placeholder("shop_other")
    assert parse_seed(placeholder("shop_totp")).digits == 6


def test_a_binary_body_with_a_mask_is_left_out() -> None:
    content = {"mimeType": "image/png", "encoding": "base64", "text": "iVBOR(secret key)", "size": 9}
    kept = json.loads(har_text(har(entry("/a", content=content))))["log"]["entries"][0]["response"]["content"]
    assert (kept["text"], kept["comment"]) == ("", "left out: it held a secret")


def test_a_body_counts_unless_it_differs_from_run_to_run() -> None:
    index = index_of(
        entry("/a", "POST", body="q=kettle"),
        entry("/b", "POST", body=f"password={placeholder('x')}"),
        entry("/c", "POST", body="--x", kind="multipart/form-data; boundary=x"),
        entry("/d"),
    )
    assert [each["body"] for each in index] == ["q=kettle", None, None, None]


def test_redirects_lead_to_the_next_entry_with_that_address() -> None:
    entries = (
        entry("/account", status=303, location="/login"),
        entry("/login"),
        entry("/login", "POST", status=303, location="/account", body="user=ada"),
        entry("/account"),
        entry("/away", status=302, location="http://other.example/"),
    )
    assert [each["follows"] for each in index_of(*entries)] == [[1], [], [3], [], []]
    answered = json.loads(replay_files(har(*entries))["replay.har"])["log"]["entries"]
    numbers = [[header["value"] for header in each["request"]["headers"]] for each in answered]
    assert numbers == [["0"], ["1", "0"], ["2"], ["3", "2"], ["4"]]
    assert {header["name"] for header in answered[0]["request"]["headers"]} == {ENTRY_HEADER}


def test_without_a_file_nothing_is_answered() -> None:
    assert json.loads(replay_files(None)["index.json"]) == []


@pytest.mark.parametrize("text", [b"", b"{}", b'{"log": {"entries": [{}]}}', b"[1]", b'{"log": {"entries": 5}}'])
def test_another_file_is_refused(text: bytes) -> None:
    with pytest.raises(HarFileUnusable):
        replay_files(text)
