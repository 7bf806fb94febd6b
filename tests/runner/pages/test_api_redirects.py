"""The request that follows a redirect of page.request, as Playwright's driver makes it."""

from typing import Any

import pytest

from pageworker_runner.pages.api_redirects import RedirectLoop, next_request

HEADERS = [
    {"name": "Authorization", "value": "Bearer 1"},
    {"name": "Content-Type", "value": "text/plain"},
    {"name": "Cookie", "value": "a=1"},
    {"name": "Host", "value": "shop.test"},
    {"name": "X-Team", "value": "prices"},
]


def response(status: int = 302, location: str | None = "/next", url: str = "http://shop.test/a/b") -> dict[str, Any]:
    headers = [] if location is None else [{"name": "LOCATION", "value": location}]
    return {"status": status, "url": url, "headers": headers}


def names(params: dict[str, Any] | None) -> list[str]:
    assert params is not None
    return [each["name"] for each in params["headers"]]


@pytest.mark.parametrize("status", [200, 204, 300, 304, 404])
def test_another_status_is_no_redirect(status: int) -> None:
    assert next_request({"url": "http://shop.test/"}, response(status)) is None


def test_a_redirect_without_a_location_is_the_answer() -> None:
    assert next_request({"url": "http://shop.test/"}, response(location=None)) is None


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/next", "http://shop.test/next"),
        ("next", "http://shop.test/a/next"),
        ("//cdn.test/x", "http://cdn.test/x"),
        ("https://shop.test/x", "https://shop.test/x"),
    ],
)
def test_a_location_is_relative_to_the_answer(location: str, url: str) -> None:
    following = next_request(
        {"url": "http://other.test/", "params": [{"name": "q", "value": "1"}]}, response(location=location)
    )
    assert following == {"url": url}


@pytest.mark.parametrize(
    ("status", "method", "after"),
    [
        (301, "POST", "GET"),
        (302, "post", "GET"),
        (302, "PUT", None),
        (303, "PUT", "GET"),
        (303, "HEAD", None),
        (307, "POST", None),
        (308, "POST", None),
    ],
)
def test_a_method_that_changes_loses_its_body(status: int, method: str, after: str | None) -> None:
    params = {"url": "http://shop.test/", "method": method, "postData": "eA==", "jsonData": None, "headers": HEADERS}
    following = next_request(params, response(status))
    assert following is not None
    assert following["method"] == (after or method)
    assert ("postData" in following) == (after is None)
    assert ("Content-Type" in names(following)) == (after is None)


def test_cookies_are_looked_up_anew_and_credentials_stay_with_their_origin() -> None:
    params = {"url": "http://shop.test/", "headers": HEADERS}
    assert names(next_request(params, response())) == ["Authorization", "Content-Type", "X-Team"]
    assert "Authorization" in names(next_request(params, response(location="http://shop.test:80/")))
    for elsewhere in ("https://shop.test/", "http://shop.test:81/", "http://a.shop.test/"):
        assert "Authorization" not in names(next_request(params, response(location=elsewhere)))


def test_too_many_redirects_have_the_drivers_words() -> None:
    assert str(RedirectLoop()) == "Max redirect count exceeded"
