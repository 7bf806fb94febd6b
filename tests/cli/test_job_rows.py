"""What a listing shows of a result."""

import pytest

from pageworker_supervisor.cli.job_rows import row_of_result, stream_fields


def test_a_result_becomes_a_row() -> None:
    text = (
        b'{"job_id":"j","tenant_id":"acme","status":"failed","endpoint_module":"m@1.0.0","worker_id":"w",'
        b'"error":{"type":"timeout","message":"x","retryable":true},"attempts":[{},{}],"data":{"large":1},'
        b'"usage":{"page_seconds":1.5,"requests":3,"bytes_in":10,"bytes_out":"none"}}'
    )
    row = row_of_result("1000000-3", text, 1012.5)
    assert row is not None
    assert (row.state, row.status, row.error, row.blocker) == ("ended", "failed", "timeout", None)
    assert (row.module, row.worker_id, row.attempts_used, row.age_seconds) == ("m@1.0.0", "w", 2, 12.5)
    assert (row.requests, row.bytes_in, row.bytes_out) == (3, 10, 0)


@pytest.mark.parametrize("text", [b"", b"x", b"[]", b'{"job_id":"j"}', b"[" * 10_000, b'{"job_id":1,"tenant_id":"a"}'])
def test_what_is_no_result_is_left_out(text: bytes) -> None:
    assert row_of_result("1-0", text, 0.0) is None


def test_the_fields_of_an_entry_are_a_map_or_a_list() -> None:
    assert stream_fields([b"result", b"{}"]) == stream_fields({b"result": b"{}"}) == {b"result": b"{}"}
