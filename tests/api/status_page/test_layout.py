"""The frame of all pages."""

import datetime as dt

from pageworker_supervisor.api.status_page.layout import (
    PageView,
    PageVisitor,
    document,
    duration,
    facts,
    instant,
    moment,
    pages,
    part,
    shortened,
    size,
    state,
    table,
)
from pageworker_supervisor.api.status_page.markup import Address, address, rendered

STYLES, ICON = Address("/status.css"), Address("/status.svg")


def html(view: PageView, visitor: PageVisitor | None) -> str:
    return document(view, visitor, STYLES, ICON).decode()


def test_the_menu_has_what_the_visitor_may_see() -> None:
    view = PageView("Jobs", address("/job", job_id="1"), ("x",), live=True)
    fleet, tenant = html(view, PageVisitor(None, "t")), html(view, PageVisitor("acme", "t"))
    assert 'href="/workers"' in fleet
    assert 'href="/workers"' not in tenant
    assert "tenant acme" in tenant
    assert '<a href="/jobs" aria-current="page">' in tenant, "the page of a job is below the list"
    assert 'href="/job?job_id=1&amp;refresh=on"' in tenant
    assert "Sign out" in fleet
    assert "Sign out" not in html(view, PageVisitor(None, "open", signed_in=False))
    assert "<nav" not in html(view, None)


def test_tables_say_what_they_hold() -> None:
    shown = rendered(table("Jobs", ("Job", "State"), [("1", state("failed"))], "none"))
    assert "<caption>Jobs</caption>" in shown
    assert '<th scope="col">State</th>' in shown
    assert '<th scope="row">1</th><td><span class="state bad">failed</span></td>' in shown
    assert rendered(table("Jobs", ("Job",), [], "none")) == '<p class="empty">none</p>'
    assert rendered(facts((("A", ""), ("B", None), ("C", 0)))).count("<dt>") == 1


def test_links_to_other_pages() -> None:
    here = address("/jobs", state="queued", cursor="a")
    shown = rendered(pages(here, cursor="b"))
    assert "/jobs?state=queued&amp;cursor=b" in shown
    assert '"/jobs?state=queued"' in shown
    assert pages(address("/jobs"), cursor=None) is None


def test_numbers_and_times() -> None:
    assert [size(n).replace("\u00a0", " ") for n in (0, 2048, 3 * 2**29)] == ["0 B", "2.0 KiB", "1.5 GiB"]
    assert [duration(n).replace("\u00a0", " ") for n in (0.5, 600, 9000)] == ["0.5 s", "10 min", "2.5 h"]
    assert part(1000, 2000).replace("\u00a0", " ") == "1,000 of 2,000"
    assert rendered(instant(0)) == '<time datetime="1970-01-01T00:00:00Z">1970-01-01 00:00:00</time>'
    assert rendered(instant(9e12)) == '<time datetime="?">?</time>'
    for at, expected in (
        (dt.datetime.min, "0001-01-01 00:00:00"),
        (dt.datetime(2026, 1, 2, 3, 4, 5, 678, dt.UTC), "2026-01-02 03:04:05"),
        (dt.datetime(2026, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=2))), "2026-01-02 00:00:00+02:00"),
    ):
        assert f">{expected}<" in rendered(moment(at))
    assert shortened("abcd", 3) == "abc…"
