"""A clock for deciders that take the time as a function."""


class SetClock:
    """Loop time in seconds, which the test sets as `now`."""

    now = 100.0

    def __call__(self) -> float:
        return self.now
