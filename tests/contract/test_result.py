"""A result as result readers get it."""

import json

import msgspec

from pageworker_supervisor.contract.result import Blocker, Result, encode_result

FIELDS = {
    "job_id", "tenant_id", "status", "endpoint_module", "profile_id", "trace_id", "meta", "data", "error", "blocker",
    "artifacts", "artifacts_lost", "attempts", "module_version", "worker_id", "runner_id", "timing", "usage", "steps",
}  # fmt: skip


def test_every_field_is_always_there() -> None:
    found = json.loads(encode_result(Result(job_id="1", tenant_id="acme", status="expired")))
    assert set(found) == FIELDS
    assert (found["data"], found["meta"], found["attempts"], found["blocker"]) == (None, {}, [], None)
    assert found["timing"] == {"queued": 0.0, "admitted": 0.0, "ran": 0.0, "total": 0.0}


def test_data_and_meta_are_passed_on_byte_for_byte() -> None:
    number = b"1" * 30
    result = Result(
        job_id="1", tenant_id="a", status="succeeded", data=msgspec.Raw(number), meta=msgspec.Raw(b'{"a":1.50}')
    )
    assert b'"data":' + number + b"," in encode_result(result)
    assert b'"meta":{"a":1.50}' in encode_result(result)


def test_a_blocker_has_kind_provider_evidence_and_url() -> None:
    result = Result(job_id="1", tenant_id="a", status="blocked", blocker=Blocker(kind="captcha", provider="x"))
    expected = {"kind": "captcha", "provider": "x", "evidence": None, "url": None}
    assert json.loads(encode_result(result))["blocker"] == expected
