"""Texts of failed requests: made from the gateway's reason, and read again where an attempt failed with them."""

from typing import get_args

import pytest
from playwright.async_api import Error as BrowserError

from pageworker_runner.pages import request_errors
from pageworker_runner.pages.request_errors import FAILED_HTTP, FAILED_TUNNEL, NetworkError
from pageworker_sandbox.egress.errors import UnreachableReason
from pageworker_sandbox.wire.request_failure import RequestFailure

REFUSED = RequestFailure("refused", "host_not_allowed", "cdn.test:443")
CALL_LOG = "\nCall log:\n  - → GET http://shop.test/\n    - accept: */*"


def down(reason: str, authority: str = "shop.test:80") -> RequestFailure:
    return RequestFailure("unreachable", reason, authority)


def of_node(failure: RequestFailure) -> str:
    return f'Invalid header from proxy CONNECT response: "Pageworker-Egress {failure.line}"{CALL_LOG}'


def test_every_reason_of_the_gateway_has_a_name() -> None:
    assert set(request_errors.UNREACHABLE) == set(get_args(UnreachableReason))
    assert set(request_errors.NODE_TEXTS) < set(get_args(UnreachableReason))


def test_a_navigation_gets_chromiums_name_and_keeps_the_rest() -> None:
    text = f"{FAILED_HTTP} at http://shop.test/\nCall log:\n  - navigating"
    assert request_errors.reworded(text, down("connection_refused")) == (
        "net::ERR_CONNECTION_REFUSED at http://shop.test/\nCall log:\n  - navigating"
    )
    assert request_errors.reworded(f"{FAILED_TUNNEL} at http://shop.test/\nCall log:", REFUSED) == (
        "net::ERR_BLOCKED_BY_ADMINISTRATOR at http://shop.test/ "
        "(egress policy: host_not_allowed for cdn.test:443)\nCall log:"
    )


def test_a_request_without_a_working_proxy_is_one_that_failed_and_says_why() -> None:
    failure = RequestFailure("refused", "proxy_unavailable", "shop.test:443")
    why = " (egress policy: proxy_unavailable for shop.test:443)"
    text = request_errors.reworded(f"Page.goto: {FAILED_TUNNEL} at https://shop.test/", failure)
    assert text == f"Page.goto: net::ERR_PROXY_CONNECTION_FAILED at https://shop.test/{why}"
    assert request_errors.refusal_in(BrowserError(text)) == (failure, "https://shop.test/")
    found = request_errors.reworded_request(of_node(failure))
    assert found == ("ECONNREFUSED", f"connect ECONNREFUSED shop.test:443{why}{CALL_LOG}")
    of_request = BrowserError(f"APIRequestContext.get: {found[1]}")
    assert request_errors.refusal_in(of_request) == (failure, "http://shop.test/")


@pytest.mark.parametrize("reason", request_errors.UNREACHABLE)
@pytest.mark.parametrize("authority", ["shop.test:80", "[::1]:443", ""])
def test_a_request_gets_a_text_whose_name_is_known(reason: str, authority: str) -> None:
    found = request_errors.reworded_request(of_node(down(reason, authority)))
    assert found is not None
    name, text = found
    assert name in request_errors.NODE_NAMES
    assert text.endswith(CALL_LOG)
    assert name in text.splitlines()[0]


@pytest.mark.parametrize(
    "text",
    [
        "socket hang up (ECONNRESET)",
        'Invalid header from proxy CONNECT response: "Nonsense"',
        'Invalid header from proxy CONNECT response: "Pageworker-Egress whatever"',
        f"Error: {of_node(REFUSED)}",
    ],
)
def test_other_errors_of_requests_keep_their_text(text: str) -> None:
    assert request_errors.reworded_request(text) is None


@pytest.mark.parametrize(
    "call", ["Page.goto", "Frame.goto", "Page.reload", "Page.expect_navigation", "Page.wait_for_url"]
)
def test_a_refused_navigation_is_recognised(call: str) -> None:
    text = request_errors.reworded(f"{FAILED_HTTP} at http://shop.test/ a\nCall log:", REFUSED)
    assert request_errors.refusal_in(BrowserError(f"{call}: {text}")) == (REFUSED, "http://shop.test/ a")
    text = request_errors.reworded(FAILED_HTTP, REFUSED)
    assert request_errors.refusal_in(BrowserError(f"{call}: {text}")) == (REFUSED, None)


@pytest.mark.parametrize("call", ["APIRequestContext.get", "APIRequestContext.fetch", "Route.fetch"])
def test_a_refused_request_is_recognised(call: str) -> None:
    found = request_errors.reworded_request(of_node(REFUSED))
    assert found is not None
    assert request_errors.refusal_in(BrowserError(f"{call}: {found[1]}")) == (REFUSED, "http://shop.test/")


@pytest.mark.parametrize(
    "text",
    [
        "Page.evaluate: net::ERR_BLOCKED_BY_ADMINISTRATOR (egress policy: host_not_allowed for x:80)",
        "Page.evaluate: Page.goto: net::ERR_BLOCKED_BY_ADMINISTRATOR (egress policy: host_not_allowed for x:80)",
        "Page.evaluate: x\nPage.goto: net::ERR_BLOCKED_BY_ADMINISTRATOR (egress policy: host_not_allowed for x:80)",
        "net::ERR_BLOCKED_BY_ADMINISTRATOR (egress policy: host_not_allowed for x:80)",
        (
            'Page.goto: Navigation to "http://shop.test/" is interrupted by another navigation to '
            '"http://x/net::ERR_BLOCKED_BY_ADMINISTRATOR (egress policy: host_not_allowed for x:80)"'
        ),
        "Page.goto: net::ERR_BLOCKED_BY_ADMINISTRATOR at http://shop.test/",
        "Page.goto: net::ERR_CONNECTION_REFUSED at http://shop.test/ (egress policy: host_not_allowed for x:80)",
    ],
)
def test_nothing_else_is_a_refusal(text: str) -> None:
    assert request_errors.refusal_in(BrowserError(text)) is None


def test_a_failed_navigation_is_a_network_error() -> None:
    for text in ("net::ERR_TIMED_OUT at http://shop.test/", "net::ERR_TIMED_OUT"):
        url = "http://shop.test/" if "at" in text else None
        for call in ("", "Page.goto: ", "Frame.wait_for_url: "):
            error = BrowserError(f"{call}{text}\nCall log:")
            assert request_errors.network_error_in(error) == NetworkError("ERR_TIMED_OUT", url, text)
    assert request_errors.network_error_in(BrowserError("Page.evaluate: net::ERR_TIMED_OUT")) is None


def test_a_failed_request_is_a_network_error_under_chromiums_name() -> None:
    error = BrowserError(f"APIRequestContext.get: socket hang up (ECONNRESET){CALL_LOG}")
    assert request_errors.network_error_in(error) is None, "without Node's name"
    vars(error)["code"] = "ECONNRESET"
    expected = NetworkError("ERR_CONNECTION_RESET", "http://shop.test/", "socket hang up (ECONNRESET)")
    assert request_errors.network_error_in(error) == expected
    vars(error)["code"] = "CERT_HAS_EXPIRED"
    assert request_errors.network_error_in(error) is None, "the same in every attempt"
