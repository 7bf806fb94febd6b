"""Pages about jobs: a list, and one job with its timeline and its result. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final, get_args

import msgspec
from msgspec import Struct

from pageworker_supervisor.api.answers import TimelineEntry, timeline_answer
from pageworker_supervisor.api.status_page.layout import (
    PageView,
    duration,
    facts,
    instant,
    instant_ms,
    job_link,
    link,
    moment,
    pages,
    section,
    shortened,
    size,
    state,
    table,
)
from pageworker_supervisor.api.status_page.markup import Address, Element, Node, Preformatted, address, element
from pageworker_supervisor.contract.job_errors import UNREADABLE
from pageworker_supervisor.contract.job_history import EVENT_WORDS
from pageworker_supervisor.contract.printable import printable_json
from pageworker_supervisor.contract.result import ArtifactRecord, Result, Status
from pageworker_supervisor.queue.ended_jobs import EndedJobRow
from pageworker_supervisor.queue.job_details import JobDetails
from pageworker_supervisor.queue.views import JobView, ListedState

ENDED: Final = "ended"
STATES: tuple[str, ...] = ("waiting", *get_args(ListedState), ENDED)
"""What a list can be asked for. `waiting`: all without a result."""
STATUSES: tuple[str, ...] = get_args(Status)
MOST_JSON = 20_000
IMAGES = frozenset(("image/png", "image/jpeg", "image/webp"))
MOST_IMAGES = 8
DIGEST_SHOWN = 16

_result = msgspec.json.Decoder(Result)


class JobQuestion(Struct, frozen=True, kw_only=True):
    """Which jobs a list was asked for. "": any."""

    tenant_id: str
    state: str
    status: str

    @property
    def ended(self) -> bool:
        """Whether it is for jobs with a result."""
        return self.state == ENDED or self.status != ""


def jobs(here: Address, question: JobQuestion, found: Sequence[Node], *, one_tenant: bool) -> PageView:
    """A page of jobs: `found` under the form that asks for others. `one_tenant`: the visitor sees one tenant alone."""
    return PageView("Jobs", here, (_question_form(question, one_tenant=one_tenant), *found), live=True)


def waiting_jobs(here: Address, found: Sequence[JobView], following: str | None) -> tuple[Node, ...]:
    """Jobs without a result."""
    rows = [
        (
            job_link(job.tenant_id, job.job_id),
            job.module or "",
            state(job.state),
            job.priority,
            job.worker_id or "",
            duration(job.age_seconds),
            job.attempts_used,
            _why(job),
        )
        for job in found
    ]
    heads = ("Job", "Module", "State", "Priority", "Worker", "Age", "Attempts used", "Why it waits")
    none = "There is no such job on this page, but more may follow." if following else "There is no such job."
    return (table("Jobs without a result", heads, rows, none), pages(here, cursor=following))


def ended_jobs(
    here: Address, found: Sequence[EndedJobRow], looked_until: float | None, following: str | None
) -> tuple[Node, ...]:
    """Jobs with a result."""
    looked = element("p", "This page looked at results back to ", instant(looked_until), ".")
    return (
        ended_table(found),
        looked if following and looked_until is not None else None,
        pages(here, cursor=following),
    )


def ended_table(found: Iterable[EndedJobRow]) -> Element:
    """The newest come first."""
    rows = [
        (
            job_link(job.ref.tenant_id, job.ref.job_id),
            job.module,
            state(job.status),
            instant(job.at),
            job.worker_id or "",
            job.attempts,
            job.why,
        )
        for job in found
    ]
    heads = ("Job", "Module", "Status", "Ended", "Worker", "Attempts", "Why")
    return table("Ended jobs", heads, rows, "There is no such ended job.")


def job(here: Address, details: JobDetails, untrusted_result: bytes | None) -> PageView:
    """One job. `untrusted_result`: its result, while that is kept."""
    result = _read(untrusted_result) if untrusted_result else None
    content: list[Node] = [
        facts(
            (
                ("State", state(details.state)),
                ("Status", state(details.status) if details.status else None),
                ("Module", details.module),
                ("Priority", details.priority),
                ("Profile", details.profile_id),
                ("Domain", details.domain),
                ("Worker", details.worker),
                ("Pushed", instant_ms(details.pushed_at_ms)),
                ("Due", instant_ms(details.due_at_ms)),
                ("Expires", instant_ms(details.expires_at_ms)),
                ("Started", instant_ms(details.started_at_ms)),
                ("Attempts used", details.attempts_used),
                ("Crashes", details.crashes or None),
                ("Cancellation", "requested" if details.cancel_requested else None),
                ("Why it waits", details.why),
                ("Trace", details.trace_id),
                ("Requests", details.requests),
                ("Bytes in and out", _traffic(details)),
            )
        )
    ]
    if untrusted_result and result is None:
        content.append(element("p", "The result cannot be read.", class_="empty"))
    if result is not None:
        content += _outcome(here, result)
    entries = timeline_answer(details).timeline
    heads = ("Time", "What", "Attempt", "Worker", "Details")
    lines = table("Timeline", heads, map(_timeline_row, entries), "No history of this job is kept.")
    content.append(section("Timeline", lines))
    if result is not None:
        content += _record(result)
    return PageView(f"{details.tenant_id}/{details.job_id}", here, tuple(content), live=details.state != ENDED)


def json_text(untrusted_json: bytes) -> Node:
    """JSON for people, its begin if it is long."""
    try:
        text = msgspec.json.format(untrusted_json, indent=2).decode()
    except UNREADABLE:
        text = untrusted_json.decode(errors="replace")
    cut = "" if len(text) <= MOST_JSON else f"\n… {len(text) - MOST_JSON} characters more"
    return element("pre", Preformatted(printable_json(text[:MOST_JSON]) + cut), tabindex="0")


def _read(untrusted_result: bytes) -> Result | None:
    try:
        return _result.decode(untrusted_result)
    except UNREADABLE:
        return None


def _outcome(here: Address, result: Result) -> Iterable[Node]:
    """What a reader looks for first: why the job did not succeed, and what it left."""
    if result.error is not None:
        detail = None if result.error.detail is None else json_text(msgspec.json.encode(result.error.detail))
        pairs = (
            ("Type", result.error.type),
            ("Message", result.error.message),
            ("Can be repeated", "yes" if result.error.retryable else "no"),
            ("Detail", detail),
        )
        yield section("Error", facts(pairs))
    if (blocker := result.blocker) is not None:
        evidence = None if blocker.evidence is None else json_text(msgspec.json.encode(blocker.evidence))
        blocked: tuple[tuple[str, Node], ...] = (
            ("Kind", blocker.kind),
            ("Provider", blocker.provider),
            # A foreign address is shown, and is no link.
            ("Address", blocker.url),
            ("Evidence", evidence),
        )
        yield section("Blocked by", facts(blocked))
    if result.artifacts or result.artifacts_lost:
        yield section("Artifacts", *_artifacts(here, result))


def _record(result: Result) -> Iterable[Node]:
    """The rest of a result."""
    rows = [
        (
            each.attempt,
            moment(each.started_at),
            duration(each.duration_seconds),
            state(each.outcome),
            each.worker_id,
            each.module_version or "",
            each.proxy or "",
            each.reason or "",
        )
        for each in result.attempts
    ]
    heads = ("Attempt", "Started", "Took", "Outcome", "Worker", "Module version", "Proxy", "Reason")
    yield section("Attempts", table("Attempts", heads, rows, "No attempt was made."))
    if result.steps:
        steps = [
            (
                f"{each.attempt}.{each.number}",
                moment(each.at),
                each.text,
                "" if each.seconds is None else duration(each.seconds),
                ", ".join(f"{name}={value}" for name, value in each.fields.items()),
                each.error or "",
            )
            for each in result.steps
        ]
        yield section("Steps", table("Steps", ("Step", "Began", "Text", "Took", "Fields", "Error"), steps, ""))
    timing, usage = result.timing, result.usage
    yield section(
        "Time and usage",
        facts(
            (
                ("Queued", duration(timing.queued)),
                ("Admitted", duration(timing.admitted)),
                ("Ran", duration(timing.ran)),
                ("Total", duration(timing.total)),
                ("Page time", duration(usage.page_seconds)),
                ("Requests", usage.requests),
                ("Bytes in and out", f"{size(usage.bytes_in)} and {size(usage.bytes_out)}"),
            )
        ),
    )
    yield section("Data", json_text(bytes(result.data)))
    if bytes(result.meta) != b"{}":
        yield section("Meta", json_text(bytes(result.meta)))


def _artifacts(here: Address, result: Result) -> Iterable[Node]:
    rows = [
        (
            link(_artifact("/artifact", here, number), each.kind),
            each.content_type,
            size(each.bytes),
            element("code", shortened(each.sha256, DIGEST_SHOWN)),
            each.page_url or "",
        )
        for number, each in enumerate(result.artifacts)
    ]
    yield table("Artifacts", ("Download", "Type", "Size", "SHA-256", "Of the page"), rows, "None was stored.")
    images = [(number, each) for number, each in enumerate(result.artifacts) if each.content_type in IMAGES]
    if images:
        yield element("div", *(_image(here, *each) for each in images[:MOST_IMAGES]), class_="images")
    if result.artifacts_lost:
        lost = [(each.kind, each.type, each.message, size(each.bytes)) for each in result.artifacts_lost]
        yield table("Artifacts that were not stored", ("Kind", "Why", "Message", "Size"), lost, "")


def _image(here: Address, number: int, record: ArtifactRecord) -> Node:
    shown = element(
        "img", src=_artifact("/image", here, number), alt=f"{record.kind}, artifact {number}", loading="lazy"
    )
    return element("a", shown, href=_artifact("/image", here, number))


def _artifact(path: str, here: Address, number: int) -> Address:
    named = dict(here.query)
    return address(path, tenant_id=named["tenant_id"], job_id=named["job_id"], number=str(number))


def _timeline_row(entry: TimelineEntry) -> Sequence[Node]:
    what = f"{entry.dropped} transitions are not kept" if entry.event == "dropped" else EVENT_WORDS.get(entry.event)
    details = (entry.outcome, entry.error, entry.proxy and f"proxy {entry.proxy}", entry.module_version, entry.reason)
    status = (f"HTTP {entry.http_status}",) if entry.http_status is not None else ()
    return (
        moment(entry.at) if entry.at is not None else "…",
        what or entry.event,
        "" if entry.attempt is None else entry.attempt,
        entry.worker_id or "",
        ", ".join(text for text in (*status, *details) if text),
    )


def _why(job: JobView) -> Node:
    if job.why or job.due_at_ms is None:
        return job.why or ""
    return element("span", "due ", instant_ms(job.due_at_ms))


def _traffic(details: JobDetails) -> str | None:
    if details.bytes_in is None or details.bytes_out is None:
        return None
    return f"{size(details.bytes_in)} and {size(details.bytes_out)}"


def _question_form(question: JobQuestion, *, one_tenant: bool) -> Node:
    """Two forms: a list, and a job by its name."""
    tenant = None if one_tenant else _text_field("tenant_id", "Tenant", question.tenant_id, 63)
    choose = element(
        "form",
        tenant,
        _choice("state", "State", ("", *STATES), question.state),
        _choice("status", "Status", ("", *STATUSES), question.status),
        element("button", "List", type="submit"),
        method="get",
        action=Address("/jobs"),
        class_="question",
    )
    find = element(
        "form",
        None if one_tenant else _text_field("tenant_id", "Tenant", question.tenant_id, 63, identity="find_tenant_id"),
        _text_field("job_id", "Job id", "", 128),
        element("button", "Show", type="submit"),
        method="get",
        action=Address("/job"),
        class_="question",
    )
    return element("div", choose, find, class_="questions")


def _text_field(name: str, label: str, value: str, longest: int, identity: str | None = None) -> Node:
    field = element(
        "input", id=identity or name, name=name, type="text", value=value, maxlength=str(longest), autocomplete="off"
    )
    return element("span", element("label", label, for_=identity or name), field)


def _choice(name: str, label: str, values: Iterable[str], chosen: str) -> Node:
    options = [
        element(
            "option", value.replace("_", " ") or "any", value=value, selected="selected" if value == chosen else None
        )
        for value in values
    ]
    return element("span", element("label", label, for_=name), element("select", *options, id=name, name=name))
