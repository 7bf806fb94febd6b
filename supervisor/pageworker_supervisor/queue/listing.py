"""Pages of jobs that have no result yet, found through the indexes of their states."""

from pageworker_supervisor.queue.codec import view_from
from pageworker_supervisor.queue.functions import FunctionCalls
from pageworker_supervisor.queue.options import JobPage, JobState, JobView
from pageworker_supervisor.redis_client.sharding import shard_of

JOBS_PER_PAGE = 500
LOOKS_PER_PAGE = 8
PLACES_OF: dict[JobState | None, tuple[str, ...]] = {
    "queued": ("queued",),
    "delayed": ("delayed",),
    "running": ("running",),
    "verdict": ("verdict", "running"),
    None: ("queued", "delayed", "verdict", "running"),
}
"""Where `jobs` finds jobs of a state. One that moves on during a listing may be seen twice, but is not missed."""


class JobListing:
    """Listings over all shards. A cursor is `<shard>:<place>:<position there>`."""

    def __init__(self, calls: FunctionCalls, roots: list[str]) -> None:
        self._calls = calls
        self._roots = roots

    async def page(self, state: JobState | None, tenant_id: str | None, cursor: str | None, count: int) -> JobPage:
        """At most `count` jobs. Raises ValueError for a cursor that no listing has given."""
        places = PLACES_OF[state]
        first = shard_of(tenant_id, len(self._roots)) if tenant_id else 0
        at: str | None = cursor or f"{first}:{places[0]}:"
        views: list[JobView] = []
        for _ in range(LOOKS_PER_PAGE):
            shard, place, position = _cursor_parts(at, places, len(self._roots))
            looked_at = max(1, min(count - len(views), JOBS_PER_PAGE))
            following, rows = await self._calls.call(
                "jobs", self._roots[shard], place, tenant_id or "", position, looked_at
            )
            views += (view for view in map(view_from, rows) if state is None or view.state == state)
            last_shard = tenant_id is not None or shard + 1 >= len(self._roots)
            if following:
                at = f"{shard}:{place}:{following.decode()}"
            elif place != places[-1]:
                at = f"{shard}:{places[places.index(place) + 1]}:"
            else:
                at = None if last_shard else f"{shard + 1}:{places[0]}:"
            if at is None or len(views) >= count:
                break
        return JobPage(tuple(views), at)


def _cursor_parts(cursor: str | None, places: tuple[str, ...], shards: int) -> tuple[int, str, str]:
    shard, _, rest = (cursor or "").partition(":")
    place, _, position = rest.partition(":")
    if not shard.isdecimal() or int(shard) >= shards or place not in places:
        raise ValueError(f"{cursor!r} is no cursor of such a listing")
    return int(shard), place, position
