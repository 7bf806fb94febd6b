"""Errors of the host: an operator has to fix them."""


class HostRefused(Exception):
    """The daemon cannot run safely on this host. `what` says why, `mend` how to fix it."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(f"{what}; {mend}")
        self.what = what
        self.mend = mend


class DataFolderUnusable(HostRefused):
    """The setting `worker.data_dir` names a folder that this worker cannot write to."""


class DataFolderFull(HostRefused):
    """The data folder has no space left. The same start may succeed later."""
