"""redis-py comes without OpenTelemetry, which stays importable."""

import subprocess
import sys

CODE = """
import sys
import pageworker_supervisor.redis_client
assert not [name for name in sys.modules if name.startswith("opentelemetry")], "redis-py has imported it"
import opentelemetry.sdk.trace
"""


def test_it_is_not_imported_and_can_be_imported_later() -> None:
    subprocess.run([sys.executable, "-c", CODE], check=True, timeout=110)
