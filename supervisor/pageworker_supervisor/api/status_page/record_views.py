"""Pages about dead letters and rollouts. Pure."""

from collections.abc import Iterable, Sequence

import msgspec

from pageworker_supervisor.api.status_page.job_views import json_text
from pageworker_supervisor.api.status_page.layout import (
    PageView,
    facts,
    instant_ms,
    job_link,
    link,
    pages,
    section,
    state,
    table,
)
from pageworker_supervisor.api.status_page.markup import Address, Node, address
from pageworker_supervisor.contract.job_errors import UNREADABLE
from pageworker_supervisor.queue.dead_letters import DeadLetter
from pageworker_supervisor.queue.rollout_store import StoredEntry
from pageworker_supervisor.rollouts.rollout_entry import RolloutEntry, decode_entry

LONGEST_LIST = 10
"""Versions of a rollout's list that are shown."""


def dead_letters(here: Address, letters: Sequence[DeadLetter], following: str | None) -> PageView:
    """A page of dead letters, the newest of a shard first."""
    rows = [
        (
            link(address("/dead-letter", id=letter.id), letter.id),
            _job(letter),
            instant_ms(letter.at_ms),
            letter.reason,
            "yes" if letter.retryable else "no",
        )
        for letter in letters
    ]
    heads = ("Dead letter", "Job", "Since", "Reason", "Can be retried")
    none = "There are no dead letters on this page, but more follow." if following else "There are no dead letters."
    return PageView("Dead letters", here, (table("Dead letters", heads, rows, none), pages(here, cursor=following)))


def dead_letter(here: Address, letter: DeadLetter) -> PageView:
    """One dead letter with the job as it was pushed."""
    content = (
        facts(
            (
                ("Job", _job(letter)),
                ("Since", instant_ms(letter.at_ms)),
                ("Reason", letter.reason),
                ("Can be retried", "yes" if letter.retryable else "no: push a corrected job"),
            )
        ),
        section("Last error and attempts", json_text(letter.detail)),
        section("Job as it was pushed", json_text(letter.job)),
    )
    return PageView(f"Dead letter {letter.id}", here, content)


def rollouts(here: Address, entries: Iterable[tuple[str, StoredEntry]], following: str | None) -> PageView:
    """A page of rollout entries, by module."""
    rows = [_rollout_row(module, _entry(stored)) for module, stored in entries]
    heads = ("Module", "State", "From", "To", "Share", "Since", "By", "Why", "Rolled back", "Withdrawn")
    content = (table("Rollouts", heads, rows, "No module has a rollout."), pages(here, after=following))
    return PageView("Rollouts", here, content, live=True)


def _job(letter: DeadLetter) -> Node:
    if letter.ref is None:
        return "cannot be read"
    return job_link(letter.ref.tenant_id, letter.ref.job_id)


def _entry(stored: StoredEntry) -> RolloutEntry | None:
    try:
        return decode_entry(stored.text)
    except (msgspec.DecodeError, *UNREADABLE):
        return None


def _rollout_row(module: str, entry: RolloutEntry | None) -> Sequence[Node]:
    if entry is None:
        return (module, "cannot be read", *("",) * 8)
    lists = (_versions(entry.rolled_back), _versions(entry.withdrawn))
    if (one := entry.rollout) is None:
        return (module, "none", *("",) * 6, *lists)
    why = f"{one.why} {one.evidence}".strip()
    return (
        *(module, state(one.state.value), one.from_version, one.to_version, f"{one.percent:g} %"),
        *(instant_ms(one.changed_at_ms), one.who, why, *lists),
    )


def _versions(versions: Sequence[str]) -> str:
    shown = ", ".join(versions[-LONGEST_LIST:])
    return shown if len(versions) <= LONGEST_LIST else f"…, {shown}"
