"""Renders the manifests with kubectl: `render.py FOLDER` writes one file per variant.

A variant is a folder that is applied as it is, or the base with one component.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
FOLDERS = ("base", "canary", "example", "node-profiles")
COMPONENTS = ("apparmor", "cluster", "hpa", "keda", "sentinel")
SECONDS = 60.0
OLDEST = 5
"""Major version of kustomize, which kubectl contains since 1.27."""


class KubectlMissing(Exception):
    """There is no kubectl, or it is too old. The text says what to install."""


def check_kubectl() -> None:
    """Raise KubectlMissing if this host cannot render."""
    if shutil.which("kubectl") is None:
        raise KubectlMissing("kubectl is missing: apt install kubectl, or kubernetes-client of Debian 13")
    told = json.loads(_kubectl("version", "--client", "--output", "json"))
    version = told.get("kustomizeVersion", "v0")
    if int(version.lstrip("v").partition(".")[0]) < OLDEST:
        raise KubectlMissing(f"kubectl has kustomize {version}; the manifests need v{OLDEST} (kubectl 1.27 or later)")


def variants() -> Iterator[tuple[str, str]]:
    """Name and YAML of each variant. Raises KubectlMissing, CalledProcessError."""
    check_kubectl()
    for name in FOLDERS:
        yield name, _kubectl("kustomize", str(FOLDER / name))
    for name in COMPONENTS:
        yield f"base+{name}", render_with(name)


def render_with(*components: str, resources: tuple[str, ...] = ("base",)) -> str:
    """The YAML of these folders with these components, as a kustomization of a cluster would name them."""
    with tempfile.TemporaryDirectory(prefix=".variant-", dir=FOLDER) as work:
        lists = {
            "resources": [f"../{name}" for name in resources],
            "components": [f"../components/{name}" for name in components],
        }
        Path(work, "kustomization.yaml").write_text(json.dumps(lists))
        return _kubectl("kustomize", work)


def _kubectl(*words: str) -> str:
    ended = subprocess.run(["kubectl", *words], check=True, stdout=subprocess.PIPE, text=True, timeout=SECONDS)
    return ended.stdout


def main() -> None:
    """Write each variant into the folder argv[1]."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for name, text in variants():
            (folder / f"{re.sub('[^a-z-]', '-', name)}.yaml").write_text(text)
    except KubectlMissing as error:
        sys.exit(f"render.py: {error}")
    except subprocess.CalledProcessError:
        sys.exit("render.py: kubectl refused a kustomization, see above")


if __name__ == "__main__":
    main()
