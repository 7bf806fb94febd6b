"""Dead letters and rollouts, also those that cannot be read."""

import msgspec

from pageworker_supervisor.api.status_page import record_views
from pageworker_supervisor.api.status_page.layout import PageView
from pageworker_supervisor.api.status_page.markup import Address, element, rendered
from pageworker_supervisor.queue.dead_letters import DeadLetter
from pageworker_supervisor.queue.rollout_store import StoredEntry
from pageworker_supervisor.rollouts.rollout_entry import NO_ENTRY, RolloutAuthor, encode_entry, start

HERE = Address("/")
LETTER = DeadLetter(
    id="0-1-0", job_id=None, tenant_id=None, reason="x", job=b"no json", detail=b"{}", at_ms=1, retryable=False
)


def shown(view: PageView) -> str:
    return rendered(element("p", *view.content))


def test_a_letter_without_a_job_id() -> None:
    assert "cannot be read" in shown(record_views.dead_letters(HERE, [LETTER], "0:1-1"))
    assert "no json" in shown(record_views.dead_letter(HERE, LETTER))
    assert "more follow" in shown(record_views.dead_letters(HERE, [], "0:1-1"))
    named = msgspec.structs.replace(LETTER, job_id="1", tenant_id="acme")
    assert "/job?tenant_id=acme&amp;job_id=1" in shown(record_views.dead_letter(HERE, named))


def test_rollouts_in_each_form() -> None:
    running = start(NO_ENTRY, "1", ("1.0.0", "2.0.0"), RolloutAuthor("ann", "faster", 1), percent=5)
    many = msgspec.structs.replace(NO_ENTRY, rolled_back=tuple(f"1.{n}.0" for n in range(12)))
    entries = [
        (name, StoredEntry(1, text, b""))
        for name, text in (("a", encode_entry(running)), ("b", encode_entry(many)), ("c", b"x"))
    ]
    text = shown(record_views.rollouts(HERE, entries, None))
    assert "2.0.0" in text
    assert "5 %" in text
    assert "…, 1.2.0" in text
    assert "cannot be read" in text
    assert {row.count("<td>") + row.count("<th scope") for row in text.split("<tr>")[1:]} == {10}
