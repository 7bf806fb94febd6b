"""The decision: which blocker a page shows, if any. Pure."""

from msgspec import Struct

from pageworker_sandbox.blockers.rules import BlockerKind, BlockerRules
from pageworker_sandbox.blockers.signs import PageSight

MAX_EVIDENCE = 200


class FoundBlocker(Struct, frozen=True, kw_only=True):
    """A rule whose sum reaches the threshold, and why."""

    kind: BlockerKind
    provider: str | None
    evidence: dict[str, str]
    """What was found, by sign; also `sum`, and `rules`, the version of the rules."""


def recognise(rules: BlockerRules, sight: PageSight, threshold: float) -> FoundBlocker | None:
    """The blocker with the highest sum, if that reaches `threshold`; of equal ones the first. None: no blocker."""
    best: FoundBlocker | None = None
    highest = 0.0
    for rule in rules.rules:
        found = [(sign, what) for sign in rule.signs if (what := sign.found(sight)) is not None]
        total = round(sum(sign.weight for sign, _ in found), 6)
        if total < threshold or total <= highest:
            continue
        highest = total
        evidence = {sign.name: what[:MAX_EVIDENCE] for sign, what in found if sign.weight > 0}
        more = {"sum": f"{total:g}", "rules": rules.version}
        best = FoundBlocker(kind=rule.kind, provider=rule.provider, evidence=evidence | more)
    return best
