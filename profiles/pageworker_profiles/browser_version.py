"""Versions of browsers: which one wrote a profile, and whether another one may open it.

Chromium writes its version into a file of the profile, and changes the format of its databases only forwards: an older
version drops what it cannot read, or does not start. Source: chrome/browser/downgrade in Chromium.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from pageworker_profiles.errors import BrowserOlder

FILE = "Last Version"
"""Chromium's own, in a profile's data folder. The headless shell writes none."""
NUMBERS = 4
MAX_DIGITS = 5
MAX_BYTES = NUMBERS * (MAX_DIGITS + 1)
_NO_FILE = {errno.ENOENT, errno.ELOOP, errno.EACCES, errno.ENXIO, errno.ENODEV}
"""Nothing, a link, a file that its owner cannot read either, a socket, a device without a driver."""


class BrowserVersion(NamedTuple):
    """The four numbers of a version. Versions compare as tuples, the major number first."""

    major: int
    minor: int
    build: int
    patch: int

    def __str__(self) -> str:
        return ".".join(map(str, self))


UNKNOWN = BrowserVersion(0, 0, 0, 0)
"""A browser that does not say its version. It is older than all others, so it opens no profile that has a version."""


def parse_version(untrusted_text: str) -> BrowserVersion | None:
    """The version that the whole text is, such as `156.0.8078.108`; None: it is none."""
    numbers = untrusted_text.split(".")
    if len(numbers) != NUMBERS or not all(map(_is_number, numbers)):
        return None
    return BrowserVersion(*map(int, numbers))


def version_in(output: str) -> BrowserVersion:
    """The first version among the words of what `--version` prints. UNKNOWN: there is none."""
    return next((found for word in output.split() if (found := parse_version(word)) is not None), UNKNOWN)


def last_version(folder: int) -> BrowserVersion | None:
    """The version that wrote the profile; None: it is not known. Raises OSError.

    `folder`: descriptor of its data folder (O_PATH). A runner may have put anything there. What is no small regular
    file with a version tells nothing: a runner could remove the file as well.
    """
    with _opened(folder) as file:
        if file is None or not stat.S_ISREG(os.fstat(file).st_mode):
            return None
        untrusted_data = os.read(file, MAX_BYTES + 1)
    return parse_version(untrusted_data.decode("ascii", errors="replace").strip())


def refuse_older(browser: BrowserVersion | None, wrote: BrowserVersion | None) -> None:
    """Raise BrowserOlder if `browser` is older than the version that wrote the profile. None: not to be compared."""
    if browser is None or wrote is None or browser >= wrote:
        return
    has = "does not say its version" if browser == UNKNOWN else f"is {browser}"
    raise BrowserOlder(
        f"the profile was written by browser {wrote}, and the browser of this worker {has}: an older browser never "
        "opens a newer profile. Update this worker's browser, or run the job on a worker with a newer one",
        browser=str(browser),
        wrote=str(wrote),
    )


def _is_number(text: str) -> bool:
    return len(text) <= MAX_DIGITS and text.isascii() and text.isdigit()


@contextmanager
def _opened(folder: int) -> Iterator[int | None]:
    """The file of that name; None: there is none that can be opened. A FIFO or a device does not block."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        file = os.open(FILE, flags, dir_fd=folder)
    except OSError as error:
        if error.errno in _NO_FILE:
            yield None
            return
        raise
    try:
        yield file
    finally:
        os.close(file)
