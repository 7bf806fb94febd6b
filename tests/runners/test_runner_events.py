"""What a runner reports to its fleet, and when."""

from types import SimpleNamespace

from pw_doubles import any_typed

from pageworker_supervisor.config.settings import PoolSettings, SandboxSettings
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.runners.runner import Runner
from pageworker_supervisor.runners.runner_events import RunnerEvents
from pageworker_supervisor.runners.sandboxed_runner import SandboxedRunner


async def test_a_runner_reports_that_it_came_up_and_that_it_takes_no_more_jobs() -> None:
    told: list[str] = []

    def came_up(runner: Runner) -> None:
        told.append(f"{runner.runner_id} came up")

    events = RunnerEvents(lambda: told.append("changed"), lambda _: told.append("folder open"), came_up)
    resources = any_typed(SimpleNamespace(sandbox=SandboxSettings(), pool=PoolSettings()))
    runner = SandboxedRunner("r1", ContextKey("acme"), None, resources, events)
    runner._came_up()
    assert told == ["r1 came up", "changed"]
    runner.retire("idle")
    assert told == ["r1 came up", "changed", "changed"]
