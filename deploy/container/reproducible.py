"""Takes out of an image what differs from build to build: `reproducible.py IMAGE TAG`. TAG is the result.

podman writes the id of the build's container, a random host name, and the ids of the images between two steps into the
configuration (buildah's config.go and image.go). A step that it takes from its cache keeps the time of the build that
made it. Layers and all that a container sees stay as they are. Only the standard library is used.
"""

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

OF_THE_BUILD = frozenset({"container", "container_config", "parent"})
"""Members of the configuration that describe how it was built. Docker itself has stopped to write them."""


def reproducible(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of an image (Docker's image specification 1.2) without what is random. Pure."""
    kept = {name: value for name, value in config.items() if name not in OF_THE_BUILD}
    kept["config"] = {name: value for name, value in config["config"].items() if name != "Hostname"}
    created = {"created": config["created"]} if "created" in config else {}
    kept["history"] = [
        {name: value for name, value in step.items() if name != "comment"} | created
        for step in config.get("history", ())
    ]
    return kept


def rewrite(source: tarfile.TarFile, target: tarfile.TarFile, tag: str) -> None:
    """Copy an archive of `podman save`, with a configuration that is the same for each build."""
    (image,) = json.load(_member(source, "manifest.json"))
    config = json.dumps(reproducible(json.load(_member(source, image["Config"]))), sort_keys=True).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = json.dumps([{"Config": name, "RepoTags": [tag], "Layers": image["Layers"]}]).encode()
    for layer in image["Layers"]:
        target.addfile(source.getmember(layer), _member(source, layer))
    for written, data in ((name, config), ("manifest.json", manifest)):
        about = tarfile.TarInfo(written)
        about.size = len(data)
        target.addfile(about, io.BytesIO(data))


def _member(archive: tarfile.TarFile, name: str) -> Any:
    found = archive.extractfile(name)
    if found is None:
        raise ValueError(f"{name} of podman's archive is no file")
    return found


def main(image: str, tag: str) -> None:
    """Do it for an image that podman has. Raises subprocess.CalledProcessError, ValueError."""
    with tempfile.TemporaryDirectory(prefix="pw-image-", dir="/var/tmp") as folder:
        saved, changed = Path(folder) / "saved.tar", Path(folder) / "changed.tar"
        _podman("save", "--format", "docker-archive", "--output", str(saved), image)
        with tarfile.open(saved) as source, tarfile.open(changed, "w") as target:
            rewrite(source, target, tag)
        _podman("load", "--input", str(changed))


def _podman(command: str, *words: str) -> None:
    subprocess.run(["podman", command, "--quiet", *words], check=True, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    main(*sys.argv[1:])
