"""Unknown credentials of one peer are looked up at a bounded rate, known ones always."""

from functools import partial

import pytest

from pageworker_supervisor.api.known_credentials import KnownCredentials
from pageworker_supervisor.api.problem import ApiProblem


class Lookups:
    """Knows the given texts."""

    def __init__(self, *known: str) -> None:
        self.known = known
        self.asked = 0

    async def find(self, text: str) -> str | None:
        self.asked += 1
        return text if text in self.known else None


async def test_a_flood_is_refused_without_a_look() -> None:
    lookups, limit = Lookups("good", "late"), KnownCredentials(0.001, 5)
    assert await limit.look_up("good", "a", lambda: lookups.find("good")) == "good"
    for _ in range(5):
        assert await limit.look_up("bad", "a", lambda: lookups.find("bad")) is None
    asked = lookups.asked
    for text in ("bad", "other", "late"):
        with pytest.raises(ApiProblem, match="rate_limited") as refused:
            await limit.look_up(text, "a", partial(lookups.find, text))
        assert int(refused.value.headers["Retry-After"]) > 100
    assert lookups.asked == asked
    assert await limit.look_up("good", "a", lambda: lookups.find("good")) == "good"
    assert await limit.look_up("late", "b", lambda: lookups.find("late")) == "late"
    lookups.known = ()
    assert await limit.look_up("good", "a", lambda: lookups.find("good")) is None
    with pytest.raises(ApiProblem):
        await limit.look_up("good", "a", lambda: lookups.find("good"))
