"""Shifts the time of day that this process reads."""

import datetime
import time
from typing import Any

_real_time, _real_time_ns = time.time, time.time_ns


class ChaosClock:
    """Shifts the time of day for Python code. Monotonic time stays as it is."""

    def __init__(self) -> None:
        self.ahead_seconds = 0.0

    def install(self) -> None:
        """Replace the clock. Call it after all imports: types in annotations must stay the real ones."""
        clock, real = self, datetime.datetime

        class Shifted(datetime.datetime):
            """Its `now()` returns the real class, since encoders check for exactly that class."""

            @classmethod
            def now(cls, tz: datetime.tzinfo | None = None) -> Any:
                return real.now(tz) + datetime.timedelta(seconds=clock.ahead_seconds)

        time.time = lambda: _real_time() + self.ahead_seconds
        time.time_ns = lambda: _real_time_ns() + int(self.ahead_seconds * 1e9)
        vars(datetime)["datetime"] = Shifted
