"""Events as a tenant reads them."""

import datetime as dt
import json

from pageworker_supervisor.contract.event import TenantEvent, encode_event
from pageworker_supervisor.contract.result import ResultError


def test_an_event_has_only_the_fields_that_are_set() -> None:
    event = json.loads(encode_event(TenantEvent(event="duplicate", job_id="1", tenant_id="acme")))
    at = dt.datetime.fromisoformat(event.pop("at"))
    assert abs((dt.datetime.now(dt.UTC) - at).total_seconds()) < 60
    assert event == {"event": "duplicate", "job_id": "1", "tenant_id": "acme"}


def test_error_and_detail_are_objects() -> None:
    error = ResultError(type="timeout", message="m", retryable=True)
    event = TenantEvent(
        event="retrying", job_id="1", tenant_id="a", attempt=2, error=error, detail={"delay_seconds": 1}
    )
    found = json.loads(encode_event(event))
    assert found["error"] == {"type": "timeout", "message": "m", "retryable": True, "detail": None}
    assert (found["attempt"], found["detail"]) == (2, {"delay_seconds": 1})
