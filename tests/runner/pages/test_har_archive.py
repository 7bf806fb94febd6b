"""A HAR answers as Playwright's driver answers from it."""

import base64
import io
import zipfile
from typing import Any

import msgspec
import pytest

from pageworker_runner.pages.har_archive import (
    HarAnswer,
    HarArchive,
    HarHeader,
    HarQuery,
    HarRedirect,
    HarUnreadable,
    open_har,
)

SHOP = "http://shop.example/"
NONE: dict[str, bytes] = {}


def entry(url: str, text: str = "", *, method: str = "GET", status: int = 200, **more: Any) -> dict[str, Any]:
    request: dict[str, Any] = {"url": url, "method": method, "headers": headers(more.get("asked", {}))}
    if "post" in more:
        request["postData"] = {"mimeType": "", "text": more["post"]}
    response = {
        "status": status,
        "headers": headers(more.get("answered", {})),
        "content": more.get("content", {"text": text}),
    }
    return {"request": request, "response": response, "time": 1}


def headers(named: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in named.items()]


def asked(**named: str) -> tuple[HarHeader, ...]:
    return tuple(HarHeader(name.replace("_", "-"), value) for name, value in named.items())


def har(*entries: dict[str, Any], files: dict[str, bytes] | None = None) -> HarArchive:
    return open_har("shop.har", text_of(*entries), (files or {}).get)


def text_of(*entries: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"log": {"version": "1.2", "entries": entries}})


def body(archive: HarArchive, query: HarQuery) -> bytes | None:
    answer = archive.lookup(query)
    return answer.body if isinstance(answer, HarAnswer) else None


def test_an_entry_answers_a_request_of_its_address_and_method() -> None:
    archive = har(entry(SHOP, "grüß", answered={"X-A": "1"}), entry(SHOP, "posted", method="POST"))
    assert archive.lookup(HarQuery(SHOP, "GET")) == HarAnswer(200, (HarHeader("X-A", "1"),), "grüß".encode())
    assert body(archive, HarQuery(SHOP, "POST")) == b"posted"
    assert archive.lookup(HarQuery(SHOP, "PUT")) is None
    assert archive.lookup(HarQuery(f"{SHOP}other", "GET")) is None


def test_of_several_entries_the_one_with_most_of_the_headers_answers() -> None:
    archive = har(
        entry(SHOP, "first"),
        entry(SHOP, "german", asked={"Accept-Language": "de", "X-A": "1"}),
        entry(SHOP, "later german", asked={"accept-language": "de", "x-a": "1"}),
    )
    assert body(archive, HarQuery(SHOP, "GET")) == b"first"
    assert body(archive, HarQuery(SHOP, "GET", asked(accept_language="de", x_a="1"))) == b"german"


def test_a_posted_body_must_be_the_same() -> None:
    archive = har(entry(SHOP, "one", method="POST", post="a=1"), entry(SHOP, "two", method="POST", post="a=2"))
    assert body(archive, HarQuery(SHOP, "POST", post_data=b"a=2")) == b"two"
    assert body(archive, HarQuery(SHOP, "POST", post_data=b"a=3")) is None
    assert body(archive, HarQuery(SHOP, "POST")) == b"one"


def test_a_form_may_have_another_boundary() -> None:
    kind = "multipart/form-data; boundary="
    archive = har(
        entry(SHOP, "sent", method="POST", post="--old\r\nx\r\n--old--", asked={"Content-Type": kind + "old"})
    )
    now = asked(content_type=f"{kind}new")
    assert body(archive, HarQuery(SHOP, "POST", now, b"--new\r\nx\r\n--new--")) == b"sent"
    assert body(archive, HarQuery(SHOP, "POST", now, b"--new\r\ny\r\n--new--")) is None
    assert body(archive, HarQuery(SHOP, "POST", asked(content_type="text/plain"), b"--new\r\nx\r\n--new--")) is None


def test_redirects_are_followed_and_a_navigation_is_told() -> None:
    archive = har(
        entry("http://old.example/", status=301, answered={"Location": "http://shop.example"}),
        entry(SHOP, status=302, answered={"location": "/p"}),
        entry(f"{SHOP}p", "end"),
    )
    assert body(archive, HarQuery("http://old.example/", "GET")) == b"end"
    navigation = HarQuery("http://old.example/", "GET", is_navigation=True)
    assert archive.lookup(navigation) == HarRedirect(f"{SHOP}p")
    assert body(archive, HarQuery(f"{SHOP}p", "GET", is_navigation=True)) == b"end"


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (302, "PUT", "PUT"),
        (303, "PUT", "GET"),
        (303, "HEAD", "HEAD"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
    ],
)
def test_a_redirect_changes_the_method_as_in_a_browser(status: int, method: str, then: str) -> None:
    archive = har(
        entry(SHOP, method=method, status=status, answered={"Location": "/p"}),
        *(entry(f"{SHOP}p", each, method=each) for each in ("GET", "HEAD", "PUT", "POST")),
    )
    assert body(archive, HarQuery(SHOP, method)) == then.encode()


def test_a_cycle_of_redirects_is_an_error() -> None:
    archive = har(entry(SHOP, status=302, answered={"Location": "/"}))
    with pytest.raises(HarUnreadable, match="cycle of redirects for http"):
        archive.lookup(HarQuery(SHOP, "GET"))


def test_a_redirect_to_what_the_har_does_not_have_is_no_answer() -> None:
    assert har(entry(SHOP, status=302, answered={"Location": "/p"})).lookup(HarQuery(SHOP, "GET")) is None


def test_a_body_is_text_or_base64_or_in_a_file() -> None:
    coded = {"encoding": "base64", "text": base64.b64encode(b"\0\1").decode()}
    archive = har(
        entry(f"{SHOP}a", content=coded),
        entry(f"{SHOP}b", content={"_file": "sub/../b.txt"}),
        entry(f"{SHOP}c", content={}),
        files={"b.txt": b"beside"},
    )
    assert [body(archive, HarQuery(f"{SHOP}{name}", "GET")) for name in "abc"] == [b"\0\1", b"beside", b""]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"_file": "../secret"}, "outside of its folder"),
        ({"_file": "/etc/passwd"}, "outside of its folder"),
        ({"_file": "none.txt"}, "not in its folder"),
        ({"encoding": "base64", "text": "a"}, "not base64"),
    ],
)
def test_a_body_that_cannot_be_read_is_an_error(content: dict[str, str], reason: str) -> None:
    with pytest.raises(HarUnreadable, match=reason):
        har(entry(SHOP, content=content)).lookup(HarQuery(SHOP, "GET"))


def test_a_zip_has_the_har_and_its_files() -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as made:
        made.writestr(
            "har.har", text_of(entry(SHOP, content={"_file": "a.txt"}), entry(f"{SHOP}b", content={"_file": "b"}))
        )
        made.writestr("a.txt", b"zipped")
    archive = open_har("shop.ZIP", data.getvalue(), lambda name: b"beside")
    assert body(archive, HarQuery(SHOP, "GET")) == b"zipped"
    with pytest.raises(HarUnreadable, match="b, which is not in its folder"):
        archive.lookup(HarQuery(f"{SHOP}b", "GET"))


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.har", b"x", "a.har is not a HAR file"),
        ("a.har", b'{"log": 1}', r"a.har is not a HAR file: Expected `object`, got `int`"),
        ("a.zip", b"x", "a.zip is not a zip file"),
        ("a.zip", b"PK\5\6" + bytes(18), "a.zip has no .har file"),
    ],
)
def test_another_file_is_an_error_that_names_it(name: str, data: bytes, reason: str) -> None:
    with pytest.raises(HarUnreadable, match=reason):
        open_har(name, data, NONE.get)


def test_a_har_without_entries_answers_nothing() -> None:
    assert open_har("a.har", b'{"log": {}}', NONE.get).lookup(HarQuery(SHOP, "GET")) is None


def test_a_byte_order_mark_is_left_out() -> None:
    assert open_har("a.har", b"\xef\xbb\xbf" + text_of(), NONE.get).lookup(HarQuery(SHOP, "GET")) is None
