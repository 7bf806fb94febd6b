"""What runs in a sandbox: the defaults are the strict ones."""

from pageworker_sandbox.launch.launch_plan import ProcessLimits
from pageworker_sandbox.launch.program import SandboxProgram


def test_a_program_has_no_network_and_inherits_nothing_unless_it_says_so() -> None:
    program = SandboxProgram("r", "pageworker_runner", "runner", (), None, ProcessLimits(1, 1))
    assert not program.network
    assert program.passed == {}
    assert program.second_policy is None
