"""Compares what came back with what had to. Pure: complaints out, none where all is well."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pageworker_demo.callback_receiver import ReceivedCallback
from pageworker_demo.scenario import ScenarioJob
from pageworker_supervisor.contract.job_ref import JobRef

Answer = Mapping[str, Any]
"""A result, decoded."""


def ref_of(answer: Answer) -> JobRef:
    """Whose result it is."""
    return JobRef(answer["tenant_id"], answer["job_id"])


def complaints(
    acts: Sequence[ScenarioJob], answers: Sequence[Answer], deliveries: Sequence[ReceivedCallback]
) -> list[str]:
    """Everything that is not as the programme wants it."""
    by_ref = {ref_of(answer): answer for answer in answers}
    found: list[str] = []
    for ref, count in Counter(ref_of(answer) for answer in answers).items():
        if count != 1:
            found.append(f"{ref}: {count} results instead of one")
    for act in acts:
        answer = by_ref.pop(act.ref, None)
        if answer is None:
            found.append(f"{act.ref}: no result")
        else:
            found += (f"{act.ref}: {wrong}" for wrong in _wrong(act, answer))
    found += (f"{ref}: a result that nobody asked for" for ref in by_ref)
    return found + list(_wrong_deliveries(acts, deliveries))


def _wrong(act: ScenarioJob, answer: Answer) -> Iterator[str]:
    expected = act.expected
    if answer["status"] != expected.status:
        why = (answer["error"] or {}).get("message", "no error")
        yield f"{answer['status']} instead of {expected.status} ({why})"
        return
    for key, value in expected.data.items():
        given = (answer["data"] or {}).get(key)
        if given != value:
            yield f"data.{key} is {given!r} instead of {value!r}"
    error = answer["error"] or {}
    if expected.error_type is not None and error.get("type") != expected.error_type:
        yield f"error {error.get('type')!r} instead of {expected.error_type!r}"
    blocker = answer["blocker"] or {}
    if blocker.get("kind") != expected.blocker:
        yield f"blocker {blocker.get('kind')!r} instead of {expected.blocker!r}"
    kinds = {artifact["kind"] for artifact in answer["artifacts"]}
    if not expected.artifacts <= kinds:
        yield f"artifacts {sorted(kinds)} lack {sorted(expected.artifacts - kinds)}"
    if expected.attempts is not None and len(answer["attempts"]) != expected.attempts:
        yield f"{len(answer['attempts'])} attempts instead of {expected.attempts}"
    if answer["meta"] != act.job.get("meta", {}):
        yield f"meta came back as {answer['meta']!r}"


def owed(acts: Iterable[ScenarioJob]) -> set[JobRef]:
    """The jobs that are owed a callback: a job that is refused for its callback URL is not called back."""
    return {act.ref for act in acts if "callback_url" in act.job and act.expected.status != "rejected"}


def _wrong_deliveries(acts: Iterable[ScenarioJob], deliveries: Iterable[ReceivedCallback]) -> Iterator[str]:
    accepted = Counter(delivery.ref for delivery in deliveries if delivery.accepted)
    acts = list(acts)
    expected = owed(acts)
    pushes = {act.ref: act.pushes for act in acts}
    for delivery in deliveries:
        if not delivery.genuine:
            yield f"{delivery.ref}: callback with a wrong signature"
    for ref in sorted(expected | accepted.keys()):
        # A push that comes when the job has ended is called back as well.
        if not (1 <= accepted[ref] <= pushes[ref] if ref in expected else accepted[ref] == 0):
            yield f"{ref}: called back {accepted[ref]} times"
