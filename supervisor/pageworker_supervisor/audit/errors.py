"""Why a record cannot be written or read."""


class AuditRefused(Exception):
    """The record cannot be written here: there is no key, or no right. `mend`: how to fix it."""

    retryable = False

    def __init__(self, text: str, mend: str) -> None:
        super().__init__(text)
        self.mend = mend


class AuditBusy(Exception):
    """Other writers were faster each time."""

    retryable = True
