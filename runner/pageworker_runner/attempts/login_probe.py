"""Runs a module's login probe on the page that the handler has left, after the result has been sent."""

import asyncio
from collections.abc import Callable
from typing import Any, get_args

from pageworker import Blocked, Helpers, ProfileState
from pageworker_runner.attempts.attempt_result import AttemptResult
from pageworker_runner.attempts.profile_report import profile_report
from pageworker_runner.attempts.running_attempt import RunningAttempt
from pageworker_runner.limits import LIMITS
from pageworker_runner.modules.entrypoint import Hook
from pageworker_runner.pages.playwright_internals.timeouts_and_bindings import use_timeout
from pageworker_runner.pages.slot import PageSlot
from pageworker_runner.reporting.error_text import describe
from pageworker_runner.task_ownership import Tasks
from pageworker_sandbox.wire.profile_report import PROBE_SECONDS, ProfileReport

CALL_SECONDS = 8.0
"""What one call of Playwright may take by default: less than the probe, so that its error tells what it waited for."""
ENDED = frozenset({"succeeded", "failed", "blocked"})
"""Outcomes of handlers that ended by themselves. The page of another one may still be in use."""


def wanted(attempt: RunningAttempt, result: AttemptResult) -> bool:
    """Whether the probe is to run. A handler that has reported itself knows as much."""
    if attempt.profile is not None or not attempt.handler_began or result.outcome not in ENDED:
        return False
    match attempt.run.probe:
        case "due":
            return True
        case "login_required":
            return result.obstacle is not None and result.obstacle.kind == "login_required"
    return False


async def run(
    attempt: RunningAttempt, slot: PageSlot, probe: Hook, tasks: Tasks, warn: Callable[[str], None]
) -> ProfileReport | None:
    """What the probe finds; None if it finds nothing within PROBE_SECONDS. `warn` is called with the reason then.

    The attempt is closed: the probe gets no secrets and stores no artifacts.
    """
    label = attempt.version.label
    use_timeout(slot.page, attempt.default_timeout, CALL_SECONDS)
    task = tasks.spawn(_call(attempt, slot, probe), attempt.task_context())
    first: set[asyncio.Future[Any]] = {task, attempt.forced_result}
    await asyncio.wait(first, timeout=PROBE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=LIMITS.handler_grace_seconds)
        slot.warm.handler_stuck = not task.done()
        warn(f"the login probe of {label} did not end within {PROBE_SECONDS:g} s")
        return None
    found = task.result()
    if isinstance(found, BaseException):
        warn(f"the login probe of {label} raised {describe(found, label)}")
        return None
    if attempt.profile is not None and attempt.profile.state == found:
        return attempt.profile  # with its evidence
    if found not in get_args(ProfileState):
        states = ", ".join(get_args(ProfileState))
        warn(f"the login probe of {label} returned a {type(found).__name__} that is none of {states}")
        return None
    return profile_report(found, {}, slot.page.url)


async def _call(attempt: RunningAttempt, slot: PageSlot, probe: Hook) -> Any:  # whatever the module returns
    """What the probe returns, or what it raises. A login that blocks it is a finding."""
    try:
        return await probe(slot.page, Helpers(slot.page, attempt), attempt.context)
    except Blocked as blocked:
        if blocked.kind != "login_required":
            return blocked
        attempt.profile_state("needs_login", blocked.evidence)
        return "needs_login"
    except BaseException as error:  # noqa: BLE001 - foreign code: whatever it raises, sys.exit() too, ends the probe alone
        return error
