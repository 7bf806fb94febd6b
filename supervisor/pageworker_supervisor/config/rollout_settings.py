"""The section `[rollouts]`: what the automatic decision about rollouts may do."""

from typing import Annotated

from msgspec import Meta

from pageworker_supervisor.config.section import Section

Count = Annotated[int, Meta(ge=1)]


class RolloutSettings(Section, frozen=True):
    """What the automatic decision about rollouts may do (docs/rollouts.md). Workers of one fleet need the same
    values."""

    automatic_rollback: bool = True
    """Whether a version is rolled back by itself if the numbers say that it is worse than the one before."""
    least_jobs: Count = 10
    """Jobs of the new version before it may be rolled back by itself."""
    promote_after_seconds: Annotated[float, Meta(gt=0)] | None = None
    """Seconds after which a version is promoted by itself, if the numbers say nothing against it. Default: never."""
    promote_after_jobs: Count = 200
    """Jobs of the new version before it may be promoted by itself."""
