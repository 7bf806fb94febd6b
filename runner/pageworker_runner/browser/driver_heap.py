"""Options of Playwright's driver for the memory that it uses. V8 chooses its own by the size of the host.

By default the young generation of its heap grows to 32 MB, and a collection of the old one begins when it has doubled.
So a driver of many jobs used between 120 and 190 MB. With these options it uses between 125 and 135 MB.
"""

import zlib
from pathlib import Path

PRELOAD = Path(__file__).with_suffix(".js")
"""It has V8 collect once the old generation has grown by a fifth: `NODE_OPTIONS` does not permit that flag."""
YOUNG_MB = 4
"""Of each half of the young generation. `--max-semi-space-size` in Node.js's documentation of its command line."""


def node_options() -> str:
    """For `NODE_OPTIONS` of the driver. The browser does not inherit them."""
    return f'--max-semi-space-size={YOUNG_MB} --require "{PRELOAD}"'


def checksum() -> int:
    """Of the options: V8 refuses code that was compiled under others."""
    return zlib.crc32(b"%d" % YOUNG_MB + PRELOAD.read_bytes())
