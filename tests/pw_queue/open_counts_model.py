"""What `hold_requests` does, in Python and without Redis: one host, any time."""

from dataclasses import dataclass
from math import ceil, floor

from pageworker_supervisor.queue.request_counts import LEASE_SECONDS, CountReply

WISH_SECONDS = 2.0


@dataclass(frozen=True)
class ToldCount:
    """What one worker told."""

    count: int
    wants: int
    at: float
    since: float


class OpenCountsModel:
    """The hash of one host."""

    def __init__(self) -> None:
        self.told: dict[str, ToldCount] = {}

    def hold(self, worker: str, *, limit: int, holds: int, wants: int, now: float) -> CountReply:
        """As the function of that name."""
        others: dict[str, ToldCount] = {}
        since = now
        for name, each in self.told.items():
            wanted = each.wants if now - each.at < WISH_SECONDS else 0
            if name == worker:
                since = each.since if wanted and each.count <= holds else now
            elif now - each.at < LEASE_SECONDS and each.count + wanted:
                others[name] = ToldCount(each.count, wanted, each.at, each.since)
        share = fair_share(limit, [holds + wants, *(each.count + each.wants for each in others.values())])

        def claim(count: int, wanted: int) -> int:
            return wanted if share is None else max(0, min(wanted, ceil(share) - count))

        ahead = [
            claimed
            for name, each in others.items()
            if (each.since, name) < (since, worker) and (claimed := claim(each.count, each.wants))
        ]
        free = limit - holds - sum(each.count for each in others.values()) - sum(ahead)
        granted = max(0, min(claim(holds, wants), free))
        left = wants - granted
        self.told = {name: self.told[name] for name in others}
        if holds + wants:
            self.told[worker] = ToldCount(holds + granted, left, now, now if granted else since)
        others_wait = any(each.wants for each in others.values())
        over = holds + sum(each.count for each in others.values()) > limit
        keep = floor(share) if share is not None and (others_wait or over) else None
        return CountReply(granted, keep, min(1000, 100 * (len(ahead) + 1)) / 1000 if left else 0.0)


def fair_share(limit: int, demands: list[int]) -> float | None:
    """The share of each worker with more demand than that; None: the limit is enough for all."""
    left: float = limit
    for n, demand in enumerate(sorted(demands)):
        share = left / (len(demands) - n)
        if demand > share:
            return share
        left -= demand
    return None
