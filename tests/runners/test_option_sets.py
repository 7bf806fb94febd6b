"""Options by their digests."""

import pytest

from pageworker_sandbox.page_rules import options_digest, parse_options
from pageworker_sandbox.wire.page_options import PageOptions
from pageworker_supervisor.runners import option_sets
from pageworker_supervisor.runners.egress_sets import DigestCollision
from pageworker_supervisor.runners.errors import SpawnFailed
from pageworker_supervisor.runners.option_sets import OptionSets

GERMAN, FRENCH = parse_options({"locale": "de-DE"}), parse_options({"locale": "fr-FR"})


def test_a_set_is_found_by_its_name() -> None:
    sets = OptionSets()
    assert sets.options(sets.name(GERMAN)) == GERMAN
    assert sets.name(parse_options({"locale": "de-DE", "is_mobile": False})) == options_digest(GERMAN)
    assert (sets.name(PageOptions()), sets.options("")) == ("", PageOptions())


def test_a_browser_never_starts_without_the_options_that_its_key_names() -> None:
    with pytest.raises(SpawnFailed):
        OptionSets().options(options_digest(GERMAN))


def test_two_sets_never_share_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(option_sets, "options_digest", lambda options: "0" * 12)
    sets = OptionSets()
    sets.name(GERMAN)
    with pytest.raises(DigestCollision):
        sets.name(FRENCH)
    assert sets.options("0" * 12) == GERMAN


def test_jobs_with_ever_new_options_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(option_sets, "REMEMBERED", 2)
    sets = OptionSets()
    for word in ("dark", "no-preference"):
        sets.name(GERMAN)
        sets.name(parse_options({"color_scheme": word}))
    assert sets.options(options_digest(GERMAN)) == GERMAN, "the set that was used last stays"
    with pytest.raises(SpawnFailed):
        sets.options(options_digest(parse_options({"color_scheme": "dark"})))
