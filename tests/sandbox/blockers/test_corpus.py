"""The corpus itself: enough pages, each with its source, and two halves that share nothing."""

from collections import Counter

from pw_blockers.corpus import pages_of


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
