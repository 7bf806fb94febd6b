"""What all pages have in common: the frame, tables, numbers and times. Pure."""

import datetime as dt
from collections.abc import Iterable, Sequence

from msgspec import Struct

from pageworker_supervisor.api.status_page.markup import Address, Element, Node, address, element, rendered
from pageworker_supervisor.contract.utc_time import utc_text

REFRESH_SECONDS = 10
NO_BREAK = "\u00a0"
LONGEST_TEXT = 300
"""Characters of a foreign text in a table."""
LONGEST_NAME = 40
LONGEST_JOB = 63 + 1 + 128
"""A tenant's id, and that of a job."""
GOOD = frozenset(("ready", "succeeded", "running", "promoted", "idle", "busy"))
BAD = frozenset(("failed", "dead", "timed_out", "rejected", "cut_off", "failing", "unknown", "rolled_back"))
WARNED = frozenset(
    ("blocked", "expired", "cancelled", "draining", "drained", "starting", "stopped", "paused", "ending")
)


class PageVisitor(Struct, frozen=True):
    """Who looks. `tenant_id` None: the whole fleet is visible. `signed_in` False: the page is open, without a token."""

    tenant_id: str | None
    token_id: str = ""
    signed_in: bool = True


class PageView(Struct, frozen=True):
    """The content of one page. `here`: its own address, with what it was asked for."""

    title: str
    here: Address
    content: tuple[Node, ...]
    live: bool = False
    """It may be read again every REFRESH_SECONDS."""


class MenuEntry(Struct, frozen=True):
    """One entry of the menu."""

    path: str
    text: str
    also: tuple[str, ...] = ()
    """Paths of pages below it."""
    fleet_only: bool = False


MENU = (
    MenuEntry("/", "Overview"),
    MenuEntry("/workers", "Workers", fleet_only=True),
    MenuEntry("/runners", "Runners"),
    MenuEntry("/queues", "Queues", fleet_only=True),
    MenuEntry("/tenants", "Tenants", ("/tenant",), fleet_only=True),
    MenuEntry("/jobs", "Jobs", ("/job",)),
    MenuEntry("/dead-letters", "Dead letters", ("/dead-letter",)),
    MenuEntry("/rollouts", "Rollouts", fleet_only=True),
)


def document(view: PageView, visitor: PageVisitor | None, styles: Address, icon: Address) -> bytes:
    """A whole page. `visitor` None: no visitor is known, so there is no menu."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{view.title} · pageworker"),
        element("link", rel="stylesheet", href=styles),
        element("link", rel="icon", type="image/svg+xml", href=icon),
    )
    title = element("div", element("h1", view.title), _refresh(view) if view.live else None, class_="title")
    body = element(
        "body",
        element("a", "Skip to content", href=Address("#content"), class_="skip"),
        element("header", element("span", "pageworker", class_="brand"), *_menu(view, visitor)),
        element("main", title, *view.content, id="content", tabindex="-1"),
        element("footer", "All times are UTC."),
    )
    return ("<!doctype html>\n" + rendered(element("html", head, body, lang="en")) + "\n").encode()


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[Node]], empty: str) -> Element:
    """A table with its caption; `empty` in its place if it has no row. The first column heads its row."""
    lines = [
        element(
            "tr",
            element("th", _in_table(row[0]), scope="row"),
            *(element("td", _in_table(each)) for each in row[1:]),
        )
        for row in rows
    ]
    if not lines:
        return element("p", empty, class_="empty")
    head = element("thead", element("tr", *(element("th", text, scope="col") for text in heads)))
    filled = element("table", element("caption", caption), head, element("tbody", *lines))
    # Wide tables scroll, also by keyboard.
    return element("div", filled, class_="scroll", role="region", aria_label=caption, tabindex="0")


def facts(pairs: Iterable[tuple[str, Node]]) -> Element:
    """Names and values. What is None or "" is left out."""
    rows = [
        element("div", element("dt", name), element("dd", value)) for name, value in pairs if value not in (None, "")
    ]
    return element("dl", *rows, class_="facts")


def numbers(pairs: Iterable[tuple[str, str | int, Address | None]]) -> Element:
    """The main numbers of a page."""
    parts = [
        element("li", element("strong", link(to, value) if to else value), element("span", name))
        for name, value, to in pairs
    ]
    return element("ul", *parts, class_="numbers")


def section(heading: str, *content: Node) -> Element:
    """A part of a page."""
    return element("section", element("h2", heading), *content)


def link(to: Address, text: Node) -> Element:
    """A link within the page."""
    return element("a", text, href=to)


def job_link(tenant_id: str, job_id: str) -> Element:
    """A job's name, with its page. The id stands in the query: a path cannot end in `..`."""
    return link(address("/job", tenant_id=tenant_id, job_id=job_id), shortened(f"{tenant_id}/{job_id}", LONGEST_JOB))


def state(word: str) -> Element:
    """A state or a status. Its colour adds nothing to its text."""
    kind = "good" if word in GOOD else "bad" if word in BAD else "warned" if word in WARNED else "plain"
    return element("span", shortened(word, LONGEST_NAME), class_=f"state {kind}")


def instant(at: float | None) -> Node:
    """Unix seconds as a time; "" without one."""
    if at is None:
        return ""
    return element("time", utc_text(at, "%Y-%m-%d %H:%M:%S"), datetime=utc_text(at, "%Y-%m-%dT%H:%M:%SZ"))


def moment(at: dt.datetime) -> Element:
    """The same for a time of a result, which a user of Redis may have written in any form."""
    is_utc = at.utcoffset() == dt.timedelta(0)
    shown = at.isoformat(" ", "seconds")
    return element("time", shown.removesuffix("+00:00") if is_utc else shown, datetime=at.isoformat())


def instant_ms(at_ms: int | None) -> Node:
    """The same for milliseconds."""
    return instant(None if at_ms is None else at_ms / 1000)


def size(count: int) -> str:
    """Bytes as people read them."""
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= factor:
            return f"{count / factor:.1f}{NO_BREAK}{unit}"
    return f"{count}{NO_BREAK}B"


def duration(seconds: float) -> str:
    """Seconds as people read them."""
    if seconds < 120:
        return f"{seconds:.1f}{NO_BREAK}s"
    return f"{seconds / 60:.0f}{NO_BREAK}min" if seconds < 7200 else f"{seconds / 3600:.1f}{NO_BREAK}h"


def part(some: int, whole: int) -> str:
    """A number of all that there are."""
    return f"{some:,} of {whole:,}".replace(" ", NO_BREAK)


def shortened(text: str, longest: int = LONGEST_TEXT) -> str:
    """The begin of a long text."""
    return text if len(text) <= longest else f"{text[:longest]}…"


def pages(here: Address, **following: str | None) -> Element | None:
    """Links to the first and the next page. `following`: field of the query, and its value; None: there is no more."""
    (name, value), *_ = following.items()
    links = []
    if dict(here.query).get(name):
        links.append(link(here.having(**{name: ""}), "First page"))
    if value is not None:
        links.append(link(here.having(**{name: value}), "Next page"))
    return element("nav", *links, aria_label="Pages", class_="pages") if links else None


def _in_table(node: Node) -> Node:
    return shortened(node) if isinstance(node, str) else node


def _refresh(view: PageView) -> Element:
    on = dict(view.here.query).get("refresh")
    text = "Stop refreshing" if on else f"Refresh every {REFRESH_SECONDS} s"
    return link(view.here.having(refresh="" if on else "on"), text)


def _menu(view: PageView, visitor: PageVisitor | None) -> Iterable[Node]:
    if visitor is None:
        return
    links = [
        element(
            "li",
            element(
                "a",
                entry.text,
                href=Address(entry.path),
                aria_current="page" if view.here.path in (entry.path, *entry.also) else None,
            ),
        )
        for entry in MENU
        if visitor.tenant_id is None or not entry.fleet_only
    ]
    yield element("nav", element("ul", *links), aria_label="Main")
    who = "whole fleet" if visitor.tenant_id is None else f"tenant {visitor.tenant_id}"
    yield element("span", who, class_="who")
    if visitor.signed_in:
        yield element("form", element("button", "Sign out", type="submit"), method="post", action=Address("/sign-out"))
