"""How well the rules of the release do on the corpus: no innocent page is flagged, and blocked ones are named right."""

from collections import Counter

import pytest
from pw_blockers.corpus import CorpusPage, ExpectedBlocker, Half, pages_of

from pageworker_sandbox.blockers.recognition import recognise
from pageworker_sandbox.blockers.rules import decode_rules, released_rules
from pageworker_supervisor.config.blocker_settings import BlockerSettings

RULES = decode_rules(released_rules())
HALVES: tuple[Half, ...] = ("open", "frozen")


def test_the_corpus_is_large_and_every_page_has_a_source() -> None:
    every = [*pages_of("open"), *pages_of("frozen")]
    blocked = [page for page in every if page.expected is not None]
    assert len(blocked) >= 80
    assert len(every) - len(blocked) >= 40
    assert all(page.source.startswith("https://") for page in every)
    assert [name for name, times in Counter(page.name for page in every).items() if times > 1] == []


def test_the_frozen_half_has_no_provider_that_the_open_half_lacks() -> None:
    known = {page.expected for page in pages_of("open")}
    assert {page.expected for page in pages_of("frozen")} <= known


def said_of(page: CorpusPage) -> ExpectedBlocker | None:
    """What the rules of the release say, at the default threshold."""
    found = recognise(RULES, page.sight, BlockerSettings().threshold)
    return None if found is None else ExpectedBlocker(found.kind, found.provider)


@pytest.mark.parametrize("half", HALVES)
def test_no_innocent_page_is_flagged(half: Half) -> None:
    assert {page.name: said_of(page) for page in pages_of(half) if page.expected is None and said_of(page)} == {}


def test_the_corpus_has_as_many_pages_as_the_documentation_says() -> None:
    blocked = {half: [page for page in pages_of(half) if page.expected] for half in HALVES}
    assert {half: len(pages) for half, pages in blocked.items()} == {"open": 51, "frozen": 46}
    assert {half: len(pages_of(half)) - len(blocked[half]) for half in HALVES} == {"open": 30, "frozen": 26}


def test_the_open_half_is_named_right_but_for_one_page() -> None:
    # The rules were made when the corpus gave this page the status 429. Its source says 403.
    wrong = {page.name: said_of(page) for page in pages_of("open") if page.expected and said_of(page) != page.expected}
    assert wrong == {"rate-threshold": ExpectedBlocker("access_denied", None)}


def test_the_frozen_half_is_named_right_but_for_one_page() -> None:
    # The page is a rate limit, without the name of its provider. Counted when the rules of 2026.11.2 were frozen, and
    # again after pages were corrected and removed.
    missed = {page.name for page in pages_of("frozen") if page.expected and said_of(page) != page.expected}
    assert missed == {"cloudflare-1015"}
    assert len(missed) <= 0.05 * sum(page.expected is not None for page in pages_of("frozen"))
