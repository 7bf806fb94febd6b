"""A wall clock that is wrong, for this process alone."""

import datetime
import time
from typing import Any

_real_time, _real_time_ns = time.time, time.time_ns


class ChaosClock:
    """Moves what Python code reads as the time of day; monotonic time goes on as it is."""

    def __init__(self) -> None:
        self.ahead_seconds = 0.0

    def install(self) -> None:
        """To be called when everything is imported: types in annotations must stay the real ones."""
        clock, real = self, datetime.datetime

        class Shifted(datetime.datetime):
            """Its `now` is an instance of the real class: encoders ask for exactly that."""

            @classmethod
            def now(cls, tz: datetime.tzinfo | None = None) -> Any:
                return real.now(tz) + datetime.timedelta(seconds=clock.ahead_seconds)

        time.time = lambda: _real_time() + self.ahead_seconds
        time.time_ns = lambda: _real_time_ns() + int(self.ahead_seconds * 1e9)
        vars(datetime)["datetime"] = Shifted
