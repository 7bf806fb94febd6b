"""One life of a daemon. Leases are held under its name, so that a successor knows what its predecessor held."""

import os
import secrets
from pathlib import Path

FILE = "incarnation"


def claim_data_dir(data_dir: Path, worker_id: str) -> tuple[str, str | None]:
    """A new name, `<worker id>.<nonce>`, and the one that this data folder was used under before.

    Call it only while holding the data folder (its control socket is bound): the predecessor is then dead.
    """
    file = data_dir / FILE
    try:
        before = file.read_text().strip() or None
    except FileNotFoundError:
        before = None
    name = f"{worker_id}.{secrets.token_hex(3)}"
    fresh = data_dir / f"{FILE}.new"
    fresh.unlink(missing_ok=True)
    # Nobody else's business: leases are held under this name.
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as opened:
        opened.write(name + "\n")
    fresh.replace(file)
    return name, before
