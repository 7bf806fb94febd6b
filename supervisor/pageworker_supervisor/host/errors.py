"""What a host can be refused for. The blame is the operator's."""


class HostRefused(Exception):
    """The daemon cannot run safely here. The text says what is wrong, `mend` how to fix it."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(f"{what}; {mend}")
        self.what = what
        self.mend = mend
