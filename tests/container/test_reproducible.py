"""Two builds of the same layers become one image."""

import io
import json
import tarfile
from typing import Any

from deploy.container.reproducible import rewrite

TAG = "localhost/pageworker:headless"
LAYER = b"a layer"


def built(random: str) -> dict[str, Any]:
    """The configuration of a build, as buildah 1.28 writes it."""
    inside = {"Hostname": random, "User": "10001:10001", "Healthcheck": {"Test": ["CMD", "true"]}}
    return {
        "architecture": "amd64",
        "config": inside,
        "container": random,
        "container_config": inside,
        "created": "2026-11-28T16:45:17Z",
        # A step of the cache has the time of an earlier build.
        "history": [{"created_by": "RUN true", "comment": f"FROM {random}", "created": f"time of {random}"}],
        "parent": f"sha256:{random}",
        "rootfs": {"type": "layers", "diff_ids": ["sha256:1"]},
    }


def archive(members: dict[str, bytes]) -> io.BytesIO:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as written:
        for name, data in members.items():
            about = tarfile.TarInfo(name)
            about.size = len(data)
            written.addfile(about, io.BytesIO(data))
    file.seek(0)
    return file


def rewritten(random: str) -> bytes:
    manifest = [{"Config": f"{random}.json", "RepoTags": ["localhost/build:1"], "Layers": ["1.tar"]}]
    members = {
        "1.tar": LAYER,
        f"{random}.json": json.dumps(built(random)).encode(),
        "manifest.json": json.dumps(manifest).encode(),
        f"{random}/json": b"of an older format",
    }
    target = io.BytesIO()
    with tarfile.open(fileobj=archive(members)) as source, tarfile.open(fileobj=target, mode="w|") as written:
        rewrite(source, written, TAG)
    return target.getvalue()


def test_two_builds_of_the_same_layers_are_one_image() -> None:
    first = rewritten("0abbc6469229")
    assert first == rewritten("299e8179ad4a")
    with tarfile.open(fileobj=io.BytesIO(first)) as read:
        found = {member.name: read.extractfile(member).read() for member in read}  # type: ignore[union-attr] # all files
    (image,) = json.loads(found["manifest.json"])
    assert (image["RepoTags"], found[image["Layers"][0]]) == ([TAG], LAYER)
    config = json.loads(found[image["Config"]])
    assert config["config"] == {"User": "10001:10001", "Healthcheck": {"Test": ["CMD", "true"]}}
    assert config["history"] == [{"created_by": "RUN true", "created": config["created"]}]
    assert set(config) == {"architecture", "config", "created", "history", "rootfs"}
