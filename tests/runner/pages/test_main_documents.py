"""Which requests of the driver's list belong to an attempt, without a browser."""

from types import SimpleNamespace
from typing import Any

import pytest
from pw_doubles import any_typed

from pageworker_runner.pages import main_documents
from pageworker_runner.pages.main_documents import MOST_REQUESTS, MainDocuments

NEVER = -1.0


class ListedPage:
    """A page whose driver keeps these requests."""

    def __init__(self, *requests: Any) -> None:
        self._kept = requests

    async def requests(self) -> list[Any]:
        return list(self._kept)


def request(guid: str, at_ms: float = NEVER, before: Any = None) -> Any:
    return SimpleNamespace(guid=guid, timing={"startTime": at_ms}, redirected_from=before)


@pytest.fixture(autouse=True)
def plain_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages and requests are those of this file."""
    monkeypatch.setattr(main_documents, "main_frame_of", lambda page: page)
    monkeypatch.setattr(main_documents, "frame_guid_of", lambda frame: "frame")
    monkeypatch.setattr(main_documents, "request_guids", lambda requests: [each.guid for each in requests])


async def own(requested: list[str], *kept: Any) -> list[str]:
    documents = MainDocuments(any_typed(None))
    documents.requested("frame", "earlier")
    page = any_typed(ListedPage(*kept))
    documents.begin(page)
    for guid in requested:
        documents.requested("frame", guid)
    found: list[Any] = await documents.requests_of(page)
    return [each.guid for each in found]


async def test_the_first_document_of_the_attempt_divides_the_list() -> None:
    assert await own(["b", "d"], request("earlier"), request("a"), request("b"), request("c"), request("d")) == [
        *("b", "c", "d")
    ]


async def test_redirects_before_the_first_document_are_its_own() -> None:
    moved = request("m")
    assert await own(["b"], request("a"), moved, request("b", before=moved)) == ["m", "b"]


async def test_an_attempt_without_a_document_has_no_requests() -> None:
    assert await own([], request("a"), request("b")) == []


async def test_a_list_without_the_first_document_is_newer_only_if_it_is_full() -> None:
    assert await own(["b"], request("a")) == []
    full = [request(f"{n}") for n in range(MOST_REQUESTS)]
    assert len(await own(["b"], *full)) == MOST_REQUESTS


async def test_what_was_sent_before_the_attempt_is_never_its_own() -> None:
    assert await own(["b"], request("b"), request("late", at_ms=1.0)) == ["b"]
