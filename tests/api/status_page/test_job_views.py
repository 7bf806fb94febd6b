"""Jobs in each state, and results of any form."""

import msgspec
import pytest
from api.status_page.seeds import history, result

from pageworker_supervisor.api.status_page import job_views
from pageworker_supervisor.api.status_page.job_views import MOST_JSON, JobQuestion
from pageworker_supervisor.api.status_page.layout import PageView
from pageworker_supervisor.api.status_page.markup import address, element, rendered
from pageworker_supervisor.contract.job_history import parse_history
from pageworker_supervisor.queue.job_details import JobDetails
from pageworker_supervisor.queue.views import JobView

HERE = address("/job", tenant_id="acme", job_id="17")


def shown(view: PageView) -> str:
    return rendered(element("p", *view.content))


def details(**fields: object) -> JobDetails:
    return msgspec.convert({"job_id": "17", "tenant_id": "acme", "state": "ended", **fields}, JobDetails)


def test_a_result_with_everything() -> None:
    lines = tuple(parse_history(history("why")))
    text = shown(
        job_views.job(
            HERE, details(history=lines, bytes_in=1, bytes_out=2), msgspec.json.encode(result("17", "acme", "fact"))
        )
    )
    for heading in ("Error", "Blocked by", "Artifacts", "Attempts", "Steps", "Data", "Meta", "Timeline"):
        assert f"<h2>{heading}</h2>" in text
    assert 'src="/image?tenant_id=acme&amp;job_id=17&amp;number=1"' in text
    assert text.count("<img") == 1, "of the two artifacts, one says that it is an image"
    assert "HTTP 404" in text
    assert "callback given up" in text
    assert "fact=fact" in text


@pytest.mark.parametrize("stored", [b"x", b"{}", b"[" * 100_000])
def test_a_result_that_cannot_be_read(stored: bytes) -> None:
    assert "cannot be read" in shown(job_views.job(HERE, details(), stored))


def test_a_job_that_runs_has_no_result_yet() -> None:
    view = job_views.job(HERE, details(state="running", worker="w", cancel_requested=True), None)
    assert view.live
    assert "requested" in shown(view)
    assert "No history" in shown(view)


def test_long_json_is_cut_and_broken_json_is_shown() -> None:
    assert "characters more" in rendered(job_views.json_text(b'"' + b"a" * (MOST_JSON + 10) + b'"'))
    assert "no json" in rendered(job_views.json_text(b"no json"))


def test_lists_say_why_a_job_waits_and_that_more_may_follow() -> None:
    base: dict[str, object] = {
        "tenant_id": "acme",
        "profile_id": None,
        "domain": None,
        "priority": "normal",
        "worker_id": None,
    }
    base |= {"crashes": 0, "attempts_used": 0, "age_seconds": 1}
    found = [
        msgspec.convert({**base, "job_id": "1", "state": "delayed", "due_at_ms": 0}, JobView),
        msgspec.convert({**base, "job_id": "2", "state": "queued", "due_at_ms": None, "why": "tenant rate"}, JobView),
    ]
    text = rendered(element("p", *job_views.waiting_jobs(HERE, found, None)))
    assert "due <time" in text
    assert "tenant rate" in text
    assert "more may follow" in rendered(element("p", *job_views.waiting_jobs(HERE, [], "0:x:")))
    ended = rendered(element("p", *job_views.ended_jobs(HERE, [], 0.0, "0:1-1")))
    assert "1970-01-01" in ended


def test_the_form_asks_for_a_tenant_if_there_are_several() -> None:
    question = JobQuestion(tenant_id="acme", state="queued", status="")
    for one_tenant, fields in ((True, 0), (False, 2)):
        text = shown(job_views.jobs(HERE, question, [], one_tenant=one_tenant))
        assert text.count('name="tenant_id"') == fields
        assert '<option value="queued" selected="selected">' in text
    assert not question.ended
    assert JobQuestion(tenant_id="", state="", status="failed").ended
