"""Runs code in a process of its own: what confines a process confines it for ever."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

SANDBOX = Path(__file__).resolve().parents[2] / "sandbox"
PRELUDE = f"""
import errno, json, os, sys
sys.path.insert(0, {str(SANDBOX)!r})
def attempt(act):
    try:
        act()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "permitted"
"""


def run(code: str, *, pass_fds: tuple[int, ...] = ()) -> Any:
    """Execute the code; the value of its variable `answer`."""
    command = [sys.executable, "-c", f"{PRELUDE}\n{code}\nos.write(1, json.dumps(answer).encode())"]
    ended = subprocess.run(command, pass_fds=pass_fds, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)
