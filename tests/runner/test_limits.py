"""Whatever the runner permits a module, the supervisor accepts."""

from pageworker.outcomes import MAX_DELAY_SECONDS
from pageworker_runner.limits import LIMITS
from pageworker_sandbox.wire import messages as m

FAILURE_ARTIFACTS = 2


def test_the_wire_accepts_all_artifacts_that_a_module_and_its_failure_may_leave() -> None:
    assert LIMITS.artifacts + FAILURE_ARTIFACTS <= m.MAX_ARTIFACTS
    assert LIMITS.artifacts_bytes + FAILURE_ARTIFACTS * m.MAX_ARTIFACT_BYTES <= m.MAX_ARTIFACTS_BYTES


def test_the_wire_accepts_every_delay_that_the_sdk_accepts() -> None:
    assert MAX_DELAY_SECONDS == m.MAX_RETRY_AFTER_SECONDS
