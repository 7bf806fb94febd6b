"""Which texts are admitted, and what the sender of another one is told."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from pageworker_supervisor.config.ingress_settings import IngressSettings
from pageworker_supervisor.config.limit_settings import DomainSettings
from pageworker_supervisor.config.settings import JobSettings, Settings, TenantSettings
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.intake.admission import Admission, RejectedText, missing_field
from pageworker_supervisor.queue.producer import BacklogCap, NewJob, QuotaLimits

SETTINGS = Settings(
    tenants={
        "acme": TenantSettings(
            weight=2,
            concurrency=3,
            rate_per_second=5,
            burst=7,
            backlog_jobs=90,
            backlog_bytes=4_000_000,
            callback_allow=("https://n8n.example/webhook*",),
            callback_secret_file=Path("/secret"),
        ),
        "team-*": TenantSettings(callback_allow=("https://n8n.example/*",)),
    },
    domains={"shop.example": DomainSettings(concurrency=2, rate_per_second=1, burst=4)},
)


NOW = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
DAY = 86_400


def admission(settings: Settings = SETTINGS, now: dt.datetime | None = NOW) -> Admission:
    """One with a clock that stands still; with None, the real clock."""
    sections = (settings.tenants, settings.domains, settings.jobs)
    return Admission(*sections) if now is None else Admission(*sections, lambda: now)


def text(**fields: Any) -> bytes:
    return json.dumps({"job_id": "j1", "tenant_id": "acme", "endpoint_module": "shop.product"} | fields).encode()


def queued(**fields: Any) -> NewJob:
    (decision,) = admission().decide(text(**fields))
    assert isinstance(decision, NewJob), decision
    return decision


def rejected(untrusted_text: bytes) -> RejectedText:
    (decision,) = admission().decide(untrusted_text)
    assert isinstance(decision, RejectedText), decision
    return decision


def test_a_job_is_queued_as_it_was_pushed() -> None:
    body = text(payload={"url": "https://Shop.Example/p"}, profile_id="p", priority="high", retry_count=2)
    (decision,) = admission().decide(body)
    assert isinstance(decision, NewJob)
    new_job = decision
    assert (new_job.job_id, new_job.tenant_id, new_job.priority, new_job.profile_id) == ("j1", "acme", "high", "p")
    assert new_job.body == body
    assert new_job.attempts_used == 2
    assert new_job.tenant_limits == QuotaLimits(weight=2, concurrency=3, rate_per_second=5, burst=7)
    assert new_job.domain == "shop.example"
    assert new_job.domain_limits == QuotaLimits(concurrency=2, rate_per_second=1, burst=4)


def test_a_job_is_queued_with_the_cap_of_its_tenants_backlog() -> None:
    """The queue compares it with what the tenant has: tests/queue/test_backlog_cap.py."""
    assert queued().backlog_cap == BacklogCap(jobs=90, bytes=4_000_000)


def test_times_become_milliseconds() -> None:
    assert queued(delay_seconds=0.0015).delay_ms == 2
    new_job = queued(not_before="2026-01-01T00:00:00.25Z", expires_at="2026-01-01T01:00:00+01:00")
    assert new_job.not_before_ms == 1767225600250
    assert new_job.expires_at_ms == 1767225600000


def test_what_expired_long_ago_is_for_the_queue_to_answer() -> None:
    assert queued(expires_at="1999-01-01T00:00:00Z").expires_at_ms == 915148800000


def test_a_tenant_by_glob_and_an_unknown_one() -> None:
    assert queued(tenant_id="team-red").tenant_limits == QuotaLimits()
    reject = rejected(text(tenant_id="mallory"))
    assert reject.type == "unknown_tenant"
    assert reject.identity == JobRef("mallory", "j1")
    assert reject.bound == "*"


def test_a_rejection_counts_among_those_of_its_tenant_if_that_is_known() -> None:
    assert rejected(text(payload=7)).bound is None
    assert rejected(text(payload=7, tenant_id="mallory")).bound == "*"


def test_the_sender_of_a_broken_job_is_told_which_rule() -> None:
    reject = rejected(text(tenantid="x", trace_id="0" * 32, meta={"flow": 7}, profile_id="p"))
    assert reject.type == "unknown_field"
    assert reject.identity == JobRef("acme", "j1")
    assert reject.result is not None
    result = json.loads(reject.result)
    assert (result["job_id"], result["tenant_id"], result["status"]) == ("j1", "acme", "rejected")
    assert result["attempts"] == []
    assert result["error"]["retryable"] is False
    assert result["error"]["detail"] == {
        "field": "tenantid",
        "rule": "is not a field of a job",
        "hint": "did you mean `tenant_id`?",
    }
    assert (result["meta"], result["trace_id"], result["profile_id"]) == ({"flow": 7}, "0" * 32, "p")
    assert result["endpoint_module"] == "shop.product"


@pytest.mark.parametrize(
    "untrusted_text",
    [b"", b"garbage", b"\xff\xfe", b"[]", b'"x"', b"{}", b"[object Object]", b'{"job_id": 1}', b"[" * 100_000],
)
def test_a_text_without_a_readable_identity_has_no_sender_to_tell(untrusted_text: bytes) -> None:
    reject = rejected(untrusted_text)
    assert (reject.raw, reject.identity, reject.result, reject.callback) == (untrusted_text, None, None, None)
    assert reject.reason


@pytest.mark.parametrize("name", ["endpoint_module", "profile_id", "trace_id", "meta"])
@pytest.mark.parametrize("value", [1, None, [], "a b", "x" * 9000, {"k": "x" * 9000}])
def test_what_is_echoed_has_the_form_of_a_result(name: str, value: Any) -> None:
    reject = rejected(text(nonsense=1, **{name: value}))
    assert reject.result is not None
    assert len(reject.result) < 2000


@pytest.mark.parametrize(
    ("tenant_id", "url", "hint"),
    [
        ("acme", "https://n8n.example/webhook/1", None),
        ("acme", "https://evil.example/webhook/1", "callback_allow"),
        ("acme", "https://n8n.example/other", "callback_allow"),
        ("team-red", "https://n8n.example/x", "callback_secret_file"),
    ],
)
def test_callbacks_go_where_the_tenant_allows_and_can_be_signed(tenant_id: str, url: str, hint: str | None) -> None:
    (decision,) = admission().decide(text(tenant_id=tenant_id, callback_url=url))
    if hint is None:
        assert isinstance(decision, NewJob)
    else:
        assert isinstance(decision, RejectedText)
        assert decision.type == "callback_not_allowed"
        assert hint in decision.reason
        assert decision.callback is None
        assert decision.result is not None


def test_a_broken_job_is_answered_where_its_tenant_allows() -> None:
    assert rejected(text(x=1, callback_url="https://n8n.example/webhook")).callback == "https://n8n.example/webhook"
    for elsewhere in ("https://evil.example/", 7, None, "javascript:alert(1)"):
        assert rejected(text(x=1, callback_url=elsewhere)).callback is None
    assert rejected(text(tenant_id="mallory", callback_url="https://n8n.example/webhook")).callback is None


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"delay_seconds": 10 * DAY}, None),
        ({"delay_seconds": 10 * DAY + 1}, "delay_seconds"),
        ({"not_before": "2026-06-11T00:00:00Z"}, None),
        ({"not_before": "2026-06-11T00:00:01Z"}, "not_before"),
        ({"not_before": "9999-12-31T23:59:59Z"}, "not_before"),
        ({"not_before": "1999-12-31T23:59:59Z"}, None),
        ({"expires_at": "2026-06-11T00:00:00Z"}, None),
        ({"expires_at": "2026-06-11T00:00:01Z"}, "expires_at"),
        ({"expires_at": "9999-12-31T23:59:59Z"}, "expires_at"),
        ({"expires_at": "1999-12-31T23:59:59Z"}, None),
        ({"not_before": "2026-06-11T00:00:00Z", "expires_at": "2026-06-21T00:00:00Z"}, None),
        ({"delay_seconds": 5 * DAY, "expires_at": "2026-06-16T00:00:01Z"}, "expires_at"),
    ],
)
def test_no_job_waits_longer_than_the_setting_allows(fields: dict[str, Any], field: str | None) -> None:
    settings = Settings(jobs=JobSettings(max_delay_seconds=10 * DAY))
    (decision,) = admission(settings).decide(text(**fields))
    if field is None:
        assert isinstance(decision, NewJob)
        return
    assert isinstance(decision, RejectedText)
    assert decision.result is not None
    error = json.loads(decision.result)["error"]
    assert error["type"] == "invalid_field"
    assert error["detail"]["field"] == field
    assert "jobs.max_delay_seconds" in error["message"]


def test_a_year_is_the_limit_by_default() -> None:
    assert isinstance(admission(Settings(), None).decide(text(delay_seconds=31_536_000))[0], NewJob)
    assert isinstance(admission(Settings(), None).decide(text(not_before="2126-01-01T00:00:00Z"))[0], RejectedText)


def test_a_text_of_megabytes_is_not_read_to_learn_whom_to_answer() -> None:
    reject = rejected(text(payload={"x": "x" * (5 * 1024 * 1024)}))
    assert (reject.type, reject.identity) == ("too_large", None)
    assert rejected(text(payload={"x": "x" * 400_000})).identity is not None


@pytest.mark.parametrize(
    "untrusted_text",
    [
        b"\xef\xbb\xbf" + text(),
        "\u200b".encode() + text(),
        text().decode().encode("utf-16"),
        json.dumps(text().decode()).encode(),
        b"[" + text() + b"]",
        b"\xef\xbb\xbf[" + text() + b"]",
    ],
)
def test_a_text_whose_meaning_is_plain_is_taken(untrusted_text: bytes) -> None:
    (decision,) = admission().decide(untrusted_text)
    assert isinstance(decision, NewJob), decision
    assert json.loads(decision.body) == json.loads(text())


def test_half_an_emoji_in_a_job_becomes_the_replacement_character() -> None:
    (decision,) = admission().decide(
        text(payload={"title": "cut \ud83d"}, meta={"note": "\udc00", "whole": "\U0001f600"})
    )
    assert isinstance(decision, NewJob), decision
    job = json.loads(decision.body)
    assert (job["payload"], job["meta"]) == ({"title": "cut \ufffd"}, {"note": "\ufffd", "whole": "\U0001f600"})
    (decision,) = admission().decide(text(payload={"x": "?"}).replace(b"?", b"\xff"))
    assert isinstance(decision, NewJob), decision
    assert json.loads(decision.body)["payload"] == {"x": "\ufffd"}


@pytest.mark.parametrize("number", [b"NaN", b"-Infinity", b"1e999", b"1" * 5000])
def test_a_number_that_json_cannot_hold_is_rejected_under_the_jobs_ids_with_its_field(number: bytes) -> None:
    broken = text(payload={"offers": [{"price": "?"}]}).replace(b'"?"', number)
    decision = rejected(broken)
    assert decision.identity == JobRef("acme", "j1")
    assert decision.reason.startswith("`payload.offers[0].price`: is not a number that JSON can hold")


def test_each_job_of_a_list_has_its_own_decision() -> None:
    several = b"[" + b",".join((text(job_id="a"), text(job_id="b", colour=1), b"7", text(job_id="c"))) + b"]"
    first, second, third, fourth = admission().decide(several)
    assert isinstance(first, NewJob)
    assert isinstance(second, RejectedText)
    assert second.identity == JobRef("acme", "b")
    assert isinstance(third, RejectedText)
    assert isinstance(fourth, NewJob)
    assert (first.job_id, fourth.job_id) == ("a", "c")


def test_the_cap_of_a_tenants_backlog_comes_with_its_job() -> None:
    """`backlog_jobs` and `backlog_bytes` of [tenants]; tests/queue/test_backlog_cap.py shows what the queue does."""
    tenant = TenantSettings(backlog_jobs=3, backlog_bytes=2 * 1024**2)
    text = b'{"job_id":"1","tenant_id":"acme","endpoint_module":"echo"}'
    (new_job,) = Admission({"acme": tenant}, {}, JobSettings()).decide(text)
    assert isinstance(new_job, NewJob)
    assert new_job.backlog_cap == BacklogCap(jobs=3, bytes=2 * 1024**2)


ORIGINS = Admission(
    {"acme": TenantSettings(), "rival": TenantSettings(), "team-*": TenantSettings()},
    {},
    JobSettings(),
    ingress=IngressSettings(tenant_inboxes=True),
)


@pytest.mark.parametrize(
    ("body", "error_type"),
    [
        (text(tenant_id="acme"), "tenant_mismatch"),
        (text(tenant_id="unknown"), "tenant_mismatch"),
        (text(tenant_id="acme", callback_url="https://acme.example/"), "tenant_mismatch"),
        (text(tenant_id="acme", wrong=1), "unknown_field"),
        (text(tenant_id=7), "invalid_field"),
        (b'{"job_id": "j1", "endpoint_module": "shop.product"}', "missing_field"),
    ],
)
def test_what_comes_from_an_inbox_is_rejected_to_its_tenant(body: bytes, error_type: str) -> None:
    (decision,) = ORIGINS.decide(body, "rival")
    assert isinstance(decision, RejectedText)
    assert (decision.type, decision.identity) == (error_type, JobRef("rival", "j1"))
    assert json.loads(decision.result or b"")["tenant_id"] == "rival"
    assert decision.callback is None


def test_each_job_of_a_list_is_compared_with_the_inbox() -> None:
    both = b"[" + text(tenant_id="rival") + b"," + text(tenant_id="acme") + b"]"
    kept, refused = ORIGINS.decide(both, "rival")
    assert isinstance(kept, NewJob)
    assert isinstance(refused, RejectedText)
    assert refused.type == "tenant_mismatch"


def test_a_text_without_an_id_is_the_inboxs_tenants() -> None:
    for body in (b"garbage", b'{"tenant_id": "acme"}'):
        (decision,) = ORIGINS.decide(body, "rival")
        assert isinstance(decision, RejectedText)
        assert (decision.identity, decision.tenant) == (None, "rival")
    assert missing_field(b"{}", "rival").tenant == "rival"


def test_tenants_that_the_configuration_names_have_inboxes() -> None:
    assert ORIGINS.inboxes == ("acme", "rival")
    assert Admission({"acme": TenantSettings()}, {}, JobSettings()).inboxes == ()


def test_a_closed_common_inbox_names_no_tenant() -> None:
    closed = Admission({"acme": TenantSettings()}, {}, JobSettings(), ingress=IngressSettings(require_origin=True))
    (decision,) = closed.decide(text())
    assert isinstance(decision, RejectedText)
    assert (decision.type, decision.identity, decision.result, decision.tenant) == ("origin_required", None, None, None)
    assert isinstance(closed.decide(text(), "acme")[0], NewJob)


def test_a_job_and_a_rejection_name_their_batch() -> None:
    assert queued(batch_id="b").batch_id == "b"
    assert rejected(text(batch_id="b", priority="urgent")).batch == "b"
    assert rejected(text(batch_id="b b")).batch is None
    told = admission().refused(queued(batch_id="b"), "batch_closed")
    assert told is not None
    assert (told.type, told.field, told.batch) == ("batch_closed", "batch_id", None)
    full = admission().refused(queued(batch_id="b"), "full")
    assert full is not None
    assert (full.type, full.batch) == ("queue_full", "b")
