"""A release goes to a real registry, and a registry that refuses is told in one message. Needs docker-registry."""

import hashlib
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from deploy.release.publish import PublishFailed, check_images, push
from pw_image.build import digest
from pw_image.podman import podman
from pw_servers.ports import free_port
from pw_servers.waiting import until

pytestmark = [pytest.mark.image, pytest.mark.timeout(300)]

NAMES = ("pageworker-publish-test:headless", "pageworker-publish-test:full")
LOCAL = ("--tls-verify=false",)
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"
CONFIG = """
version: 0.1
storage:
  filesystem: {{rootdirectory: {folder}}}
  maintenance: {{readonly: {{enabled: {readonly}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@contextmanager
def registry(folder: Path, *, readonly: bool = False) -> Iterator[str]:
    """A registry on loopback: its host and port."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("missing: docker-registry")
    port = free_port()
    file = folder / "registry.yml"
    file.write_text(CONFIG.format(folder=folder / "store", port=port, readonly=str(readonly).lower()))
    with subprocess.Popen(
        [program, "serve", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            until(lambda: answers(port), "the registry answers", 30, 0.1)
            yield f"127.0.0.1:{port}"
        finally:
            process.kill()


def answers(port: int) -> bool:
    """Whether a registry listens."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/v2/").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def images(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Two small images that podman has, and their digests."""
    file = tmp_path / "hello"
    for name in NAMES:
        file.write_text(name)
        with tarfile.open(tmp_path / "root.tar", "w") as archive:
            archive.add(file, "hello")
        podman("import", str(tmp_path / "root.tar"), f"localhost/{name}")
    yield {name: digest(f"localhost/{name}") for name in NAMES}
    podman("image", "rm", "--force", *(f"localhost/{name}" for name in NAMES))


def test_all_images_are_in_the_registry_by_the_digests_that_are_told(images: dict[str, str], tmp_path: Path) -> None:
    check_images(images)
    with registry(tmp_path) as host:
        pushed = push(images, "1.2.3", f"{host}/team/pageworker", LOCAL)
        assert list(pushed) == ["1.2.3-headless", "1.2.3-full"]
        for tag, image in pushed.items():
            wanted = image.rpartition("@")[2]
            answer = httpx.get(f"http://{host}/v2/team/pageworker/manifests/{tag}", headers={"Accept": MANIFEST})
            assert "sha256:" + hashlib.sha256(answer.content).hexdigest() == wanted


def test_a_registry_that_refuses_is_one_message(images: dict[str, str], tmp_path: Path) -> None:
    with (
        registry(tmp_path, readonly=True) as host,
        pytest.raises(PublishFailed, match=r"does not take 1\.2\.3-headless\. Nothing was pushed\. Repair the cause"),
    ):
        push(images, "1.2.3", f"{host}/team/pageworker", LOCAL)
