"""Which recorded entry answers a request: in their order, the last for ever, each of a chain of redirects once."""

from typing import Any

from pageworker_author import har_file
from pageworker_author.har_runtime import ENTRY_HEADER, Replay

SHOP = "http://shop.example"


def entry(url: str, method: str = "GET", body: str | None = None, follows: list[int] | None = None) -> dict[str, Any]:
    return {"method": method, "url": SHOP + url, "body": body, "follows": follows or []}


def chosen(replay: Replay, url: str, method: str = "GET", body: str | None = None) -> int | None:
    return replay.choose(method, SHOP + url, body, is_navigation=True)


def test_equal_requests_get_their_entries_in_order() -> None:
    replay = Replay([entry("/a"), entry("/b"), entry("/a")])
    assert [chosen(replay, url) for url in ("/a", "/a", "/b", "/a", "/c")] == [0, 2, 1, 2, None]


def test_a_body_has_to_be_equal_if_it_was_kept() -> None:
    replay = Replay([entry("/a", "POST", "q=1"), entry("/a", "POST", "q=2"), entry("/b", "POST")])
    assert chosen(replay, "/a", "POST", "q=2") == 1
    assert chosen(replay, "/a", "POST", "q=3") is None
    assert chosen(replay, "/b", "POST", "anything") == 2
    assert chosen(replay, "/b") is None


def test_a_navigation_asks_for_each_address_of_a_redirect_itself() -> None:
    index = [entry("/account"), entry("/login", "POST", follows=[2]), entry("/account")]
    replay = Replay(index)
    assert [chosen(replay, "/account"), chosen(replay, "/login", "POST"), chosen(replay, "/account")] == [0, 1, 2]
    fetch = Replay([entry("/login", "POST", follows=[1]), entry("/account"), entry("/account")])
    assert fetch.choose("POST", f"{SHOP}/login", None, is_navigation=False) == 0
    assert fetch.choose("GET", f"{SHOP}/account", None, is_navigation=False) == 2


def test_both_sides_name_the_same_header() -> None:
    assert ENTRY_HEADER == har_file.ENTRY_HEADER
