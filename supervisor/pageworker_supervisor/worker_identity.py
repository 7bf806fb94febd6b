"""The name of one run of a worker. Leases are held under it, so that the next run knows what the last one held."""

import os
import secrets
from pathlib import Path

FILE = "incarnation"


def claim_data_dir(data_dir: Path, worker_id: str) -> tuple[str, str | None]:
    """A new name, `<worker id>.<nonce>`, and the name of the last run with this data folder, if any.

    Call it only while the folder's control socket is bound: the last run is then over.
    """
    file = data_dir / FILE
    try:
        before = file.read_text().strip() or None
    except FileNotFoundError:
        before = None
    name = f"{worker_id}.{secrets.token_hex(3)}"
    fresh = data_dir / f"{FILE}.new"
    fresh.unlink(missing_ok=True)
    # Readable by this user only: leases are held under this name.
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as opened:
        opened.write(name + "\n")
    fresh.replace(file)
    return name, before
