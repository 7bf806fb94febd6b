"""httpx comes without its command line, which stays importable."""

import subprocess
import sys

CODE = """
import sys
from pageworker_supervisor.lean_httpx import httpx
httpx.AsyncClient
assert not {"httpx._main", "rich", "pygments"} & set(sys.modules), "httpx has imported its command line"
import httpx._main
"""


def test_its_command_line_is_not_imported_and_can_be_imported_later() -> None:
    subprocess.run([sys.executable, "-c", CODE], check=True, timeout=110)
