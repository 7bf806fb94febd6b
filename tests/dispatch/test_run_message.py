"""What a runner is told of a job, and what it is not told."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from pw_doubles import any_typed

from pageworker_supervisor.config.blocker_settings import BlockerSettings
from pageworker_supervisor.config.flag_settings import FlagSettings
from pageworker_supervisor.config.live import Live
from pageworker_supervisor.config.settings import JobSettings
from pageworker_supervisor.contract.job import parse_job
from pageworker_supervisor.dispatch.run_message import run_message


def message(module_seconds: float | None = None, attempt: int = 2, trace: str = "off", **fields: Any) -> Any:
    text = {"job_id": "17", "tenant_id": "acme", "endpoint_module": "shop.account", "payload": {"a": 1.0}, **fields}
    manifest = SimpleNamespace(timeout_seconds=module_seconds, secrets=("shop_login",), blockers="always", trace=trace)
    bundle = any_typed(SimpleNamespace(name="shop.account", version="1.0.0", manifest=manifest))
    lease = any_typed(SimpleNamespace(token="t-1", begin_before=5.0))
    services = any_typed(
        SimpleNamespace(
            jobs=JobSettings(timeout_seconds=60.0),
            flags={"new": FlagSettings(on=True)},
            blockers=Live(BlockerSettings(threshold=1.5)),
        )
    )
    return run_message(parse_job(json.dumps(text).encode()), lease, attempt, bundle, services)


def test_the_payload_goes_on_as_it_was_pushed() -> None:
    told = message()
    assert (told.attempt_id, told.attempt, told.begin_before) == ("t-1", 2, 5.0)
    assert told.payload == b'{"a": 1.0}'
    assert told.flags == {"new": True}
    assert (told.blocker_check, told.blocker_threshold) == ("always", 1.5)
    assert not hasattr(told, "secrets")


@pytest.mark.parametrize(("job", "module", "expected"), [(9.0, 8.0, 9.0), (None, 8.0, 8.0), (None, None, 60.0)])
def test_the_job_the_module_or_the_worker_says_how_long_it_may_take(
    job: float | None, module: float | None, expected: float
) -> None:
    given: dict[str, Any] = {} if job is None else {"timeout_seconds": job}
    assert message(module, **given).timeout_seconds == expected


@pytest.mark.parametrize(
    ("wish", "of_the_first", "of_the_second"),
    [("off", False, False), ("retries", False, True), ("failures", True, True)],
)
def test_the_module_says_which_attempts_are_traced(wish: str, of_the_first: bool, of_the_second: bool) -> None:
    assert [message(attempt=number, trace=wish).trace for number in (1, 2)] == [of_the_first, of_the_second]
