"""Compares results and callbacks of the demo's jobs with what is expected, and lists the problems. No I/O."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pageworker_demo.callback_receiver import ReceivedCallback
from pageworker_demo.scenario import ScenarioJob
from pageworker_supervisor.contract.job import JobRef

DecodedResult = Mapping[str, Any]
"""A result as it stands in the results stream, decoded from JSON."""


def ref_of(result: DecodedResult) -> JobRef:
    """The job of a result."""
    return JobRef(result["tenant_id"], result["job_id"])


def problems(
    jobs: Sequence[ScenarioJob], results: Sequence[DecodedResult], callbacks: Sequence[ReceivedCallback]
) -> list[str]:
    """Every difference between what is expected and what came. Empty if there is none."""
    by_ref = {ref_of(result): result for result in results}
    found: list[str] = []
    for ref, count in Counter(ref_of(result) for result in results).items():
        if count != 1:
            found.append(f"{ref}: {count} results instead of one")
    for job in jobs:
        result = by_ref.pop(job.ref, None)
        if result is None:
            found.append(f"{job.ref}: no result")
        else:
            found += (f"{job.ref}: {problem}" for problem in _problems_of(job, result))
    found += (f"{ref}: a result of a job that was not pushed" for ref in by_ref)
    return found + list(_callback_problems(jobs, callbacks))


def jobs_to_call_back(jobs: Iterable[ScenarioJob]) -> set[JobRef]:
    """The jobs whose result must be called back. A job that is rejected for its callback URL is not among them."""
    return {job.ref for job in jobs if "callback_url" in job.fields and job.expected.status != "rejected"}


def _problems_of(job: ScenarioJob, result: DecodedResult) -> Iterator[str]:
    expected = job.expected
    if result["status"] != expected.status:
        reason = (result["error"] or {}).get("message", "no error")
        yield f"status {result['status']} instead of {expected.status} ({reason})"
        return
    for key, value in expected.data.items():
        actual = (result["data"] or {}).get(key)
        if actual != value:
            yield f"data.{key} is {actual!r} instead of {value!r}"
    error = result["error"] or {}
    if expected.error_type is not None and error.get("type") != expected.error_type:
        yield f"error type {error.get('type')!r} instead of {expected.error_type!r}"
    blocker = result["blocker"] or {}
    if blocker.get("kind") != expected.blocker:
        yield f"blocker {blocker.get('kind')!r} instead of {expected.blocker!r}"
    kinds = {artifact["kind"] for artifact in result["artifacts"]}
    if not expected.artifacts <= kinds:
        yield f"artifacts {sorted(kinds)} lack {sorted(expected.artifacts - kinds)}"
    if expected.attempts is not None and len(result["attempts"]) != expected.attempts:
        yield f"{len(result['attempts'])} attempts instead of {expected.attempts}"
    if result["meta"] != job.fields.get("meta", {}):
        yield f"meta is {result['meta']!r} instead of {job.fields.get('meta', {})!r}"


def _callback_problems(jobs: Iterable[ScenarioJob], callbacks: Iterable[ReceivedCallback]) -> Iterator[str]:
    callbacks, jobs = list(callbacks), list(jobs)
    accepted = Counter(callback.ref for callback in callbacks if callback.accepted)
    expected = jobs_to_call_back(jobs)
    pushes = {job.ref: job.pushes for job in jobs}
    for callback in callbacks:
        if not callback.genuine:
            yield f"{callback.ref}: callback with a wrong signature"
    for ref in sorted(expected | accepted.keys()):
        # A push of a job that has ended is answered by another callback.
        allowed = range(1, pushes[ref] + 1) if ref in expected else range(1)
        if accepted[ref] not in allowed:
            yield f"{ref}: called back {accepted[ref]} times"
