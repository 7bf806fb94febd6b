"""What is in the image, how large it is, and that it is the same when it is built again."""

import json
from pathlib import Path
from typing import Any

import pytest
from pw_image.build import ROOT, build, digest, inspect
from pw_image.container import hardened
from pw_image.podman import podman

pytestmark = [pytest.mark.image, pytest.mark.timeout(3600)]

PYTHON = "/opt/pageworker/bin/python"
COMPRESSED_MB = 450
BUILD_TOOLS = {"pip", "setuptools", "wheel"}
LIST_PACKAGES = """
import importlib.metadata, json
print(json.dumps({each.metadata["Name"].lower(): each.version for each in importlib.metadata.distributions()}))
"""
STALE = """
import json, pathlib, subprocess, sys, sysconfig
folders = [pathlib.Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib")]
sources = [file for folder in folders for file in folder.rglob("*.py") if "lib2to3/tests" not in str(file)]
compiled = [file for folder in folders for file in folder.rglob("*.pyc")]
by_date = [str(file) for file in compiled if file.read_bytes()[4:8] != bytes([1, 0, 0, 0])]
fonts = subprocess.run(["fc-cache", "-v"], capture_output=True, text=True).stdout
print(json.dumps({"sources": len(sources), "compiled": len(compiled), "by_date": by_date, "fonts": fonts}))
"""
FOUND = """
import json, os, shutil
names = ("pip", "pip3", "gcc", "cc", "make", "git", "curl", "wget")
kept = ("/var/lib/apt/lists", "/var/cache/apt/archives", "/root/.cache", "/var/log", "/tmp")
print(json.dumps({
    "programs": [name for name in names if shutil.which(name)],
    "files": [os.path.join(folder, name) for top in kept if os.access(top, os.R_OK)
              for folder, _, files in os.walk(top) for name in files if name != "lock"],
}))
"""


def ask(image: str, code: str) -> Any:
    """Run Python code in a hardened container. Returns the JSON that it prints."""
    options = ["--rm", "--no-healthcheck", "--pull", "never", "--network", "none", *hardened(), "--entrypoint", PYTHON]
    return json.loads(podman("run", *options, image, "-c", code, timeout=300))


def locked() -> dict[str, str]:
    """Name and version of each package in requirements/run.txt."""
    lines = (ROOT / "requirements/run.txt").read_text().splitlines()
    pairs = [line.split()[0].split("==") for line in lines if "==" in line and not line.startswith((" ", "#"))]
    return {name.lower(): version for name, version in pairs}


def compressed_bytes(image: str, folder: Path) -> int:
    """Bytes of the layers as a registry stores them."""
    podman("save", "--format", "docker-dir", "--compress", "--output", str(folder), image, timeout=900)
    return sum(file.stat().st_size for file in folder.iterdir())


def test_a_second_build_has_the_same_digest(headless: str) -> None:
    first = digest(headless)
    assert build("headless", "--no-cache") == first


def test_it_is_small(headless: str, tmp_path: Path) -> None:
    assert compressed_bytes(headless, tmp_path / "layers") <= COMPRESSED_MB * 10**6


def test_it_has_the_locked_packages_and_no_tool_to_install_others(headless: str) -> None:
    installed = ask(headless, LIST_PACKAGES)
    expected = {name: version for name, version in locked().items() if name not in BUILD_TOOLS}
    assert installed.pop("pageworker")
    assert {name.replace("_", "-"): version for name, version in installed.items()} == expected
    assert ask(headless, FOUND) == {"programs": [], "files": []}


def test_nothing_is_compiled_or_read_again_at_each_start(headless: str) -> None:
    """The root is read-only, so what does not fit would be made again by each process."""
    found = ask(headless, STALE)
    assert found["by_date"] == []
    assert found["compiled"] >= found["sources"] * 0.99
    assert "caching" not in found["fonts"]


def test_its_configuration(headless: str) -> None:
    assert json.loads(inspect(headless, ".Config.User")) == "10001:10001"
    assert json.loads(inspect(headless, ".Config.StopSignal")) == "SIGTERM"
    assert json.loads(inspect(headless, ".HealthCheck"))["Test"][0] == "CMD"
    assert not any("HTTP__BIND" in variable for variable in json.loads(inspect(headless, ".Config.Env")))
    labels = json.loads(inspect(headless, ".Labels"))
    assert labels["org.opencontainers.image.base.name"].startswith("localhost/pageworker-test-base@sha256:")
    assert len(labels["org.opencontainers.image.revision"]) == 40
