"""Edits of a rollout entry: what each makes of replacements and of the versions that were rolled back."""

from collections.abc import Callable

import pytest

from pageworker_supervisor.rollouts.errors import RolloutRefused
from pageworker_supervisor.rollouts.rollout_entry import (
    MOST_VERSIONS,
    NO_ENTRY,
    RolloutAuthor,
    RolloutEntry,
    decode_entry,
    encode_entry,
    promote,
    replacement,
    restore,
    roll_back,
    start,
    stop,
    withdraw,
)
from pageworker_supervisor.rollouts.rollout_state import RolloutState

OLD, NEW, NEXT = "1.0.0", "1.1.0", "2.0.0"
ANN = RolloutAuthor("ann", "to see", 1000)
BOB = RolloutAuthor("bob", "it fails", 2000)
ALL = frozenset({OLD, NEW, NEXT})


def started(
    entry: RolloutEntry = NO_ENTRY, versions: tuple[str, str] = (OLD, NEW), again: bool = False
) -> RolloutEntry:
    return start(entry, "r1", versions, ANN, percent=10.0, again=again)


def gets(entry: RolloutEntry, version: str) -> str:
    return replacement(version, entry.replaced, ALL)


def test_a_rollout_starts_grows_and_keeps_its_id() -> None:
    entry = started()
    assert entry.running is not None
    assert entry.versions == {OLD, NEW}
    grown = start(entry, "r2", (OLD, NEW), BOB, percent=50.0, tags=("canary",))
    assert grown.running is not None
    assert (grown.running.id, grown.running.percent, grown.running.tags) == ("r1", 50.0, ("canary",))
    assert (grown.running.who, grown.running.started_at_ms, grown.running.changed_at_ms) == ("bob", 1000, 2000)


def test_a_promotion_replaces_the_old_version_and_a_rollback_the_new_one() -> None:
    promoted = promote(started(), "r2", None, BOB)
    assert promoted.rollout is not None
    assert promoted.rollout.state is RolloutState.PROMOTED
    assert (gets(promoted, OLD), gets(promoted, NEW), gets(promoted, NEXT)) == (NEW, NEW, NEXT)
    back = roll_back(promoted, "r3", None, BOB, "e-value 130")
    assert back.rollout is not None
    assert (back.rollout.state, back.rollout.evidence) == (RolloutState.ROLLED_BACK, "e-value 130")
    assert (gets(back, OLD), gets(back, NEW)) == (OLD, OLD)
    assert back.rolled_back == (NEW,)
    assert roll_back(back, "r4", None, BOB, "e-value 130") == back, "a second time changes nothing"


def test_a_version_that_was_rolled_back_needs_an_explicit_word() -> None:
    back = roll_back(started(), "r1", None, BOB)
    edits: list[Callable[[], RolloutEntry]] = [
        lambda: started(back),
        lambda: promote(back, "r2", None, ANN),
        lambda: promote(back, "r2", (OLD, NEW), ANN),
    ]
    for again in edits:
        with pytest.raises(RolloutRefused, match="was rolled back before") as refused:
            again()
        assert "--again" in refused.value.mend
    trusted = started(back, again=True)
    assert (trusted.rolled_back, trusted.replaced) == ((), {})
    assert gets(promote(back, "r2", None, ANN, again=True), OLD) == NEW
    assert gets(started(back, (OLD, NEXT)), NEW) == OLD, "another rollout does not bring it back"


def test_a_rollback_and_a_promotion_without_a_rollout_name_both_versions() -> None:
    back = roll_back(NO_ENTRY, "r1", (OLD, NEW), BOB)
    assert gets(back, NEW) == OLD
    assert back.rollout is not None
    assert back.rollout.id == "r1"
    assert gets(promote(NO_ENTRY, "r1", (OLD, NEW), ANN), OLD) == NEW


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda: promote(NO_ENTRY, "r", None, ANN), "has no rollout"),
        (lambda: roll_back(NO_ENTRY, "r", (OLD, OLD), ANN), "already"),
        (lambda: started(versions=(OLD, OLD)), "already"),
        (lambda: started(started(), (OLD, NEXT)), "is running"),
        (lambda: promote(started(), "r", (OLD, NEXT), ANN), "is running"),
        (lambda: stop(NO_ENTRY, ANN), "no rollout is running"),
        (lambda: started(withdraw(NO_ENTRY, NEW, ANN)), "was withdrawn"),
        (lambda: roll_back(withdraw(NO_ENTRY, OLD, ANN), "r", (OLD, NEW), ANN), "was withdrawn"),
        (lambda: withdraw(started(), OLD, ANN), "is running"),
        (lambda: withdraw(promote(started(), "r", None, ANN), NEW, ANN), "in place of 1.0.0"),
        (lambda: restore(NO_ENTRY, OLD), "is not withdrawn"),
    ],
)
def test_refused_edits(edit: Callable[[], RolloutEntry], message: str) -> None:
    with pytest.raises(RolloutRefused, match=message):
        edit()


def test_a_stopped_rollout_says_nothing_about_its_version() -> None:
    stopped = stop(started(), BOB)
    assert (stopped.rolled_back, stopped.replaced, stopped.running) == ((), {}, None)
    assert started(stopped).running is not None


def test_withdrawing_the_new_version_rolls_it_back() -> None:
    entry = withdraw(started(), NEW, BOB)
    assert (entry.withdrawn, entry.rolled_back, entry.running) == ((NEW,), (NEW,), None)
    assert restore(entry, NEW).withdrawn == ()


def test_replacements_skip_what_is_not_permitted_and_end_in_circles() -> None:
    assert replacement(OLD, {OLD: NEW, NEW: NEXT}, frozenset({OLD, NEW})) == NEW
    assert replacement(OLD, {OLD: NEW, NEW: NEXT}, frozenset({OLD, NEXT})) == NEXT
    assert replacement(OLD, {OLD: NEW}, frozenset({OLD})) == OLD
    assert replacement(OLD, {OLD: NEW, NEW: OLD}, ALL) == OLD


def test_a_version_in_the_middle_of_two_promotions_may_be_withdrawn() -> None:
    twice = promote(promote(started(), "r", None, ANN), "s", (NEW, NEXT), ANN)
    assert gets(twice, OLD) == NEXT
    without = withdraw(twice, NEW, ANN)
    assert replacement(OLD, without.replaced, ALL - {NEW}) == NEXT
    with pytest.raises(RolloutRefused, match="in place of"):
        withdraw(twice, NEXT, ANN)


def test_an_entry_is_stored_whole_and_bounded() -> None:
    entry = NO_ENTRY
    for number in range(MOST_VERSIONS + 20):
        entry = roll_back(entry, str(number), (OLD, f"2.0.{number}"), RolloutAuthor("w" * 999, "y" * 999, number))
    assert len(entry.replaced) == len(entry.rolled_back) == MOST_VERSIONS
    assert decode_entry(encode_entry(entry)) == entry
    assert len(encode_entry(entry)) < 32_000
    assert encode_entry(NO_ENTRY) == b"{}"
