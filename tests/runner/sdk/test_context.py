import time
from dataclasses import FrozenInstanceError

import pytest

from pageworker import Context


def context(deadline: float) -> Context:
    return Context(
        job_id="j",
        tenant_id="acme",
        profile_id=None,
        attempt=1,
        trace_id="0" * 32,
        module="shop.product",
        version="1.0.0",
        worker_id="w",
        runner_id="r",
        deadline=deadline,
    )


def test_the_remaining_time_counts_down_to_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = context(deadline=110.0)
    for now, remaining in ((100.0, 10.0), (109.5, 0.5), (110.0, 0.0), (200.0, 0.0)):
        monkeypatch.setattr(time, "monotonic", lambda now=now: now)
        assert attempt.remaining_seconds() == remaining


def test_a_module_can_neither_change_it_nor_add_to_it() -> None:
    attempt = context(deadline=1.0)
    with pytest.raises(FrozenInstanceError):
        attempt.deadline = 1e9  # type: ignore[misc]  # frozen: the point
    with pytest.raises((AttributeError, TypeError)):
        object.__setattr__(attempt, "extra", 1)
