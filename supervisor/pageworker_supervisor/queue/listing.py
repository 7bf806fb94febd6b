"""Pages of jobs that have no result yet, found through the indexes of their states."""

import re

from pageworker_supervisor.queue.functions import Shards, unpacked
from pageworker_supervisor.queue.views import JobPage, JobView, ListedState, view_from

JOBS_PER_PAGE = 500
CALLS_PER_PAGE = 8
PLACES_OF: dict[ListedState | None, tuple[str, ...]] = {
    "queued": ("queued",),
    "delayed": ("delayed",),
    "running": ("claimed",),
    "storing": ("claimed",),
    "ending": ("ending",),
    "finishing": ("claimed",),
    None: ("queued", "delayed", "ending", "claimed"),
}
"""Where the jobs of a state are found. A job that moves on during a listing may be seen twice, but is not missed."""

_SHARD = re.compile(r"[0-9]{1,4}", re.ASCII)
_STREAM_ID = re.compile(r"[0-9]{1,19}-[0-9]{1,19}", re.ASCII)


class JobListing:
    """Listings over all shards. A cursor is `<shard>:<place>:<position there>`."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    async def page(self, state: ListedState | None, tenant_id: str | None, cursor: str | None, count: int) -> JobPage:
        """At most `count` jobs. Raises ValueError for a cursor that no listing has given."""
        places = PLACES_OF[state]
        first = self._shards.of(tenant_id) if tenant_id else 0
        at: str | None = cursor or f"{first}:{places[0]}:"
        views: list[JobView] = []
        for _ in range(CALLS_PER_PAGE):
            shard, place, position = _cursor_parts(at, places, len(self._shards))
            limit = max(1, min(count - len(views), JOBS_PER_PAGE))
            reply = unpacked(
                await self._shards.call(
                    shard, "list_jobs", place=place, tenant=tenant_id or "", position=position, limit=limit
                )
            )
            views += (view for view in map(view_from, reply["jobs"]) if state is None or view.state == state)
            is_last_shard = tenant_id is not None or shard + 1 >= len(self._shards)
            if reply["position"]:
                at = f"{shard}:{place}:{reply['position']}"
            elif place != places[-1]:
                at = f"{shard}:{places[places.index(place) + 1]}:"
            else:
                at = None if is_last_shard else f"{shard + 1}:{places[0]}:"
            if at is None or len(views) >= count:
                break
        return JobPage(tuple(views), at)


def _cursor_parts(cursor: str | None, places: tuple[str, ...], shards: int) -> tuple[int, str, str]:
    shard, _, rest = (cursor or "").partition(":")
    place, _, position = rest.partition(":")
    known = _SHARD.fullmatch(shard) and int(shard) < shards and place in places
    # Of the places, that of claimed jobs alone is a stream, whose positions Redis checks.
    if not known or (place == "claimed" and position and not _STREAM_ID.fullmatch(position)):
        raise ValueError(f"{cursor!r} is not a cursor of such a listing")
    return int(shard), place, position
