"""`make api-fuzz`: schemathesis against a real API on a real Redis. Exit code 0: no server error, no broken promise.

schemathesis is installed into .api-fuzz, not into .venv. `GET /v1/events` is left out: its answer has no end.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from api.conftest import serving
from api.test_artifact_endpoint import ended_with
from api.test_module_endpoint import settings_in
from msgspec import structs
from pw_modules.author import Author, packed
from pw_servers import redis_server

from pageworker_supervisor.artifacts.store import ArtifactStore
from pageworker_supervisor.config.api_settings import ApiSettings
from pageworker_supervisor.config.settings import ArtifactSettings
from pageworker_supervisor.contract.job import JobRef

ROOT = Path(__file__).parents[2]
SITE = ROOT / ".api-fuzz"
REQUIREMENTS = ROOT / "requirements" / "api-fuzz.txt"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "negative_data_rejection",
    "ignored_auth",
    "unsupported_method",
)


def main() -> int:
    """Returns the exit code."""
    options = _options()
    if not (SITE / "bin" / "schemathesis").exists():
        subprocess.run((sys.executable, "-m", "venv", SITE), check=True)
        pip = (SITE / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes")
        subprocess.run((*pip, "-r", REQUIREMENTS), check=True)
    return asyncio.run(_fuzz(options.examples, options.seed))


async def _fuzz(examples: int, seed: int) -> int:
    author = Author()
    with redis_server() as server, tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "registry"
        place.mkdir()
        await author.publish(place, packed())
        stored = await ArtifactStore.open((Path(folder) / "kept").as_uri(), Path(folder)).put(
            JobRef("acme", "17"), 1, "html", "text/html", b"<p>stored</p>"
        )
        fast = ApiSettings(bind="127.0.0.1:0", requests_per_second=1_000_000.0, burst=1_000_000, max_wait_seconds=0.5)
        settings = structs.replace(settings_in(server.url, Path(folder), author), api=fast)
        settings = structs.replace(settings, artifacts=ArtifactSettings(url=(Path(folder) / "kept").as_uri()))
        async with serving(settings) as api:
            await ended_with(api, stored)
            program = await asyncio.create_subprocess_exec(
                *(str(SITE / "bin" / "schemathesis"), "run", f"http://127.0.0.1:{api.port}/v1/openapi.json"),
                *("--header", f"Authorization: {api.as_('a1')['Authorization']}", "--checks", ",".join(CHECKS)),
                *("--exclude-path", "/v1/events", "--max-examples", str(examples), "--seed", str(seed)),
                *("--request-timeout", "30", "--workers", "1", "--no-color"),
                cwd=SITE,  # it keeps what it found there
                env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
            )
            return await program.wait()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="api-fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=200, help="requests per operation and phase")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
