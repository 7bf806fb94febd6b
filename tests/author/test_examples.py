"""The examples' own tests pass on the HAR files of the repository, which are those of the demo's shop.

To write the HAR files again: `python -m pytest tests/author/test_examples.py --record-examples`.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pageworker_demo.loopback_server import served
from pageworker_demo.shop import Shop
from pageworker_demo.shop_data import MEMBERS
from pageworker_demo.toml import toml_text

pytestmark = [pytest.mark.browser, pytest.mark.sandbox]

EXAMPLES = Path(__file__).parents[2] / "examples"
WORKERCTL = str(Path(sys.executable).with_name("workerctl"))
CHANGED = "changed_shop.har"
"""Written by hand from reads_a_product.har."""


OFFLINE = """\
def test_what_was_not_recorded_is_refused_by_name(run_job):
    url = "http://shop.example/products/KTL-01"
    result = run_job({"url": url}, har="nothing")
    assert (result.status, result.error.type) == ("failed", "not_recorded")
    assert result.error.message == f"Not recorded: GET {url}"
    assert result.not_recorded == (f"GET {url}",)
    assert all(line.startswith("shop_product/") for line in result.error.detail.get("trace", []))
"""


async def module_test(folder: Path, *words: str) -> tuple[int, str]:
    """Exit code and output of `workerctl module test`. Temporary files are below `folder`."""
    process = await asyncio.create_subprocess_exec(
        *(WORKERCTL, "module", "test", *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


def recordings(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.glob("*/tests/*.har")}


def addresses(har: bytes) -> set[str]:
    return {entry["request"]["url"] for entry in json.loads(har)["log"]["entries"]}


def documents(har: bytes) -> list[str]:
    """Addresses and texts of the pages, in their order."""
    contents = ((entry, entry["response"]["content"]) for entry in json.loads(har)["log"]["entries"])
    return [entry["request"]["url"] + content["text"] for entry, content in contents if "html" in content["mimeType"]]


async def test_they_pass_and_a_changed_site_fails_by_name(tmp_path: Path) -> None:
    changed = tmp_path / "shop_product"
    shutil.copytree(EXAMPLES / "shop_product", changed, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(changed / "tests" / CHANGED, changed / "tests" / "reads_a_product.har")
    (changed / "tests" / "test_shop_product.py").rename(changed / "tests" / "test_changed.py")
    (changed / "tests" / "test_offline.py").write_text(OFFLINE)
    code, output = await module_test(
        tmp_path, *map(str, sorted(tests.parent for tests in EXAMPLES.glob("*/tests"))), str(changed)
    )
    assert "1 failed, 14 passed" in output, output
    assert code == 1
    assert re.search("FAILED .*/tests/test_changed.py::test_reads_a_product", output)
    assert "field_missing" in output


async def test_what_is_recorded_is_what_they_replay(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """It holds no secret, and is the same each time, but for the order of pictures. `--record-examples`: of all."""
    write = request.config.getoption("--record-examples")
    secrets = tmp_path / "local.toml"
    secrets.touch(0o600)
    secrets.write_text(toml_text({"secrets": {"shop_login": MEMBERS["ada"]}}))
    copies = tmp_path / "examples"
    for name in ("shop_account", "shop_product", "shop_trouble") if write else ("shop_account",):
        shutil.copytree(EXAMPLES / name, copies / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in copies.glob("*/tests/*.har"):
        if file.name != CHANGED:
            file.unlink()
    async with served(Shop().app) as port:
        config = tmp_path / "pageworker.toml"
        config.write_text(toml_text({"egress": {"hosts": {"shop.example": f"127.0.0.1:{port}"}}}))
        options = ["--record", "--secrets", str(secrets), "--config", str(config)]
        options += ["--select", "not fills_in"]  # it uses no recording
        code, output = await module_test(tmp_path, *map(str, sorted(copies.iterdir())), *options)
    assert code == 0, output
    recorded = recordings(copies)
    assert all(MEMBERS["ada"].encode() not in data for data in recorded.values())
    assert len(recorded) >= 2
    if write:
        for name, data in recorded.items():
            (EXAMPLES / name).write_bytes(data)
    kept = recordings(EXAMPLES)
    for name, data in recorded.items():
        # A picture may arrive before the style sheet, or not at all.
        assert addresses(data) <= addresses(kept[name])
        assert documents(data) == documents(kept[name])
