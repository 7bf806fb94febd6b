"""The spans of an attempt, and that there are none without a tracer."""

from pageworker_sandbox.wire.messages import RunnerSpan
from pageworker_supervisor.contract.job import Job, JobRef
from pageworker_supervisor.dispatch.attempt_spans import NO_STEP, attempt_trace, module_span, step
from pageworker_supervisor.queue.claim import Lease
from pageworker_supervisor.secrets.masker import SecretMasker
from pageworker_supervisor.tracing.job_trace import Tracer
from pageworker_supervisor.tracing.span import Span

REF = JobRef("acme", "j1")
JOB = Job(job_id="j1", tenant_id="acme", endpoint_module="shop.product@1.2.3")
LEASE = Lease(
    ref=REF, profile_id=None, shard=0, token="t", body=b"", attempt=1, crashes=0, exclusive=False, profile_fence=None,
    ending=None, queued_seconds=0.5, total_seconds=2.0, attempts=(), priority="normal",
)  # fmt: skip


def test_without_a_tracer_or_a_sample_there_is_nothing() -> None:
    assert attempt_trace(None, JOB, LEASE, 1, 10.0, 9.0) is None
    assert attempt_trace(Tracer(lambda _: None, 0.0, "pw"), JOB, LEASE, 1, 10.0, 9.0) is None
    assert step(None, "finish") is NO_STEP


def test_a_sampled_attempt_begins_with_its_wait_and_its_claim() -> None:
    spans: list[Span] = []
    trace = attempt_trace(Tracer(spans.append, 1.0, "pw"), JOB, LEASE, 1, 10.0, 9.75)
    assert trace is not None
    with step(trace, "finish"):
        pass
    assert [span.name for span in spans] == ["queue wait", "claim", "finish"]
    assert [(span.end_ns - span.start_ns) / 1e9 for span in spans[:2]] == [0.5, 0.25]
    assert spans[0].attributes["pageworker.module"] == "shop.product"


def test_a_span_of_a_runner_is_masked_and_sets_no_attribute_of_ours() -> None:
    masker = SecretMasker()
    masker.add("shop_login", "correct-horse")
    attributes = {"pageworker.tenant": "other", "server.address": "shop.example", "word": "correct-horse"}
    told = RunnerSpan(
        name="type correct-horse", began_seconds=1, seconds=2, parent=0, attributes=attributes, error="E correct-horse"
    )
    span = module_span(told, masker)
    assert set(span.attributes) == {"module.pageworker.tenant", "server.address", "module.word"}
    assert "correct-horse" not in str(span)
    assert (span.began_seconds, span.seconds, span.parent) == (1, 2, 0)
    assert module_span(told, SecretMasker()).name == "type correct-horse"
