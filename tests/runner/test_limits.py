"""What the runner permits modules has to pass the wall."""

from pageworker_runner.limits import LIMITS
from pageworker_sandbox.wire import messages as m

FAILURE_ARTIFACTS = 2


def test_the_wall_takes_all_artifacts_that_a_module_and_its_failure_may_leave() -> None:
    assert LIMITS.artifacts + FAILURE_ARTIFACTS <= m.MAX_ARTIFACTS
    assert LIMITS.artifacts_bytes + FAILURE_ARTIFACTS * m.MAX_ARTIFACT_BYTES <= m.MAX_ARTIFACTS_BYTES
