"""`pageworker-sdk` is a distribution of its own: it installs without an index, and imports without a worker."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import pageworker
from pageworker_sandbox.signing.version import SDK_VERSION, precedence
from repository.sources import ROOT

SDK = ROOT / "runner" / "pageworker"
PORTABLE = {
    "asyncio",
    "collections",
    "contextlib",
    "copy",
    "dataclasses",
    "functools",
    "json",
    "msgspec",
    "pageworker",
    "playwright",
    "re",
    "time",
    "typing",
    "urllib",
}
"""What the SDK may import: it works where there is no Linux (no fcntl, resource, pwd), no Redis and no sandbox."""

PROGRAM = """
import pageworker, sys
from pageworker import Blocked, Context, Failed, Helpers, Page, RetryLater
assert pageworker.__file__.startswith(sys.path[0]), pageworker.__file__
foreign = [name for name in sys.modules if name.startswith("pageworker_") or name in ("redis", "nacl", "httpx")]
print(pageworker.__version__, foreign)
"""


def test_the_version_is_the_one_that_ranges_of_manifests_are_compared_with() -> None:
    assert pageworker.__version__ == SDK_VERSION
    assert precedence(SDK_VERSION).final


@pytest.mark.parametrize("file", sorted(SDK.glob("*.py")), ids=lambda file: file.name)
def test_the_sdk_imports_what_every_machine_has(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert {name.partition(".")[0] for name in names} <= PORTABLE


def test_its_wheel_holds_the_typed_package_alone_and_imports(tmp_path: Path) -> None:
    """Built as `make sdk` does, without an index."""
    source, wheels, site = tmp_path / "source", tmp_path / "wheels", tmp_path / "site"
    source.mkdir()
    for part in ("runner/pyproject.toml", "runner/LICENSE", "runner/pageworker"):
        subprocess.run(["cp", "-RL", ROOT / part, source], check=True)
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--disable-pip-version-check", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", "-w", wheels, source], check=True, timeout=100)
    (wheel,) = wheels.iterdir()
    assert wheel.name == f"pageworker_sdk-{SDK_VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert {name.partition("/")[0] for name in names} == {"pageworker", f"pageworker_sdk-{SDK_VERSION}.dist-info"}
        assert {"pageworker/py.typed", f"pageworker_sdk-{SDK_VERSION}.dist-info/licenses/LICENSE"} <= set(names)
        assert {name for name in names if name.endswith(".py")} == {
            f"pageworker/{file.name}" for file in SDK.glob("*.py")
        }
        archive.extractall(site)
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(site)!r})\n{PROGRAM}"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100).stdout
    assert told.split(" ", 1) == [SDK_VERSION, "[]\n"]
