"""The section `[blockers]`: when a page counts as blocked."""

from typing import Annotated

from msgspec import Meta

from pageworker_supervisor.config.relative_paths import LOCATION
from pageworker_supervisor.config.section import Section


class BlockerSettings(Section, frozen=True):
    """When a page counts as blocked by its site (docs/blockers.md). A module says in its manifest when it is looked
    at."""

    threshold: Annotated[float, Meta(ge=0.5, le=5)] = 1.0
    """The sum of weights from which a blocker rule applies. Higher: fewer pages count as blocked."""
    rules: Annotated[str, LOCATION] | None = None
    """Rules of your own in place of those of the release: a JSON file, as a path or a URL, with its signature
    `FILE.minisig` beside it. The worker follows changes of it (docs/blockers.md). Default: the rules of the release."""
