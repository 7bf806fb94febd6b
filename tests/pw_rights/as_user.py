"""Starts programs as the worker's own user, as `User=` and `AmbientCapabilities=` of a unit of systemd do."""

import os
import subprocess
import sys
from collections.abc import Iterable
from functools import cache

from pageworker_supervisor.host.rights import NEEDED

USER = 54_322
"""An unused user id, below every range that daemons reserve."""
SKIP_REASON = "only root can become another user, who must be able to read this checkout and its Python"
ALL = tuple(needed.name for needed in NEEDED)


def as_user(*command: str, capabilities: Iterable[str] = ALL) -> list[str]:
    """The command line that runs a command as USER with these capabilities, and no other."""
    names = ["-all", *(f"+{name.removeprefix('CAP_').lower()}" for name in capabilities)]
    sets = [f"--{kind}={','.join(names)}" for kind in ("inh-caps", "ambient-caps", "bounding-set")]
    return ["setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups", *sets, *command]


@cache
def can_run() -> bool:
    """Whether programs of this checkout can run as USER."""
    if os.geteuid() != 0:
        return False
    tried = [sys.executable, "-c", "import pageworker_supervisor, pageworker_sandbox"]
    return subprocess.run(as_user(*tried), capture_output=True, check=False, cwd="/").returncode == 0
