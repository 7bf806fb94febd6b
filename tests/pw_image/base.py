"""The base image of the tests: a Debian 12 of debootstrap, with the package sources of this machine.

It stands in for `debian:bookworm-slim`, so that the tests need no registry of images. The sources of apt and pip are
copied into it and nowhere else.
"""

import configparser
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pw_image.podman import exists, podman

NAME = "localhost/pageworker-test-base"
SUITE = "bookworm"
BUILD_SECONDS = 1800.0
APT = Path("/etc/apt")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def reference() -> str:
    """The base by its digest, as BASE of the Containerfile takes it. Builds it if podman does not have it."""
    if not exists("image", NAME):
        with tempfile.TemporaryDirectory(prefix="pw-image-base-") as folder:
            root = Path(folder, "root")
            bootstrap(root)
            import_root(root)
    digest = podman("image", "inspect", "--format", "{{.Digest}}", NAME).strip()
    return f"{NAME}@{digest}"


def bootstrap(root: Path) -> None:
    """Write a minimal Debian into a new folder."""
    command = ["debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, str(root)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=BUILD_SECONDS)


def import_root(root: Path) -> None:
    """Add the package sources of this machine, and import the folder as image."""
    sources = [*APT.glob("sources.list.d/debian.sources"), *APT.glob("sources.list")]
    if sources:
        (root / "etc/apt/sources.list").unlink(missing_ok=True)
    settings = [path for path in APT.glob("apt.conf.d/*") if "Acquire::Check" in path.read_text()]
    for path in (*sources, *settings, CERTIFICATES):
        if path.exists():
            shutil.copy(path, root / path.relative_to("/"))
    write_pip_configuration(root / "etc/pip.conf")
    excluded = [
        f"--exclude=./{name}/*" for name in ("proc", "sys", "dev", "var/cache/apt/archives", "var/lib/apt/lists")
    ]
    packed = subprocess.Popen(["tar", "-C", str(root), *excluded, "-cf", "-", "."], stdout=subprocess.PIPE)
    try:
        subprocess.run(["podman", "import", "-", NAME], stdin=packed.stdout, check=True, capture_output=True)
    finally:
        packed.kill()
        packed.wait()


def write_pip_configuration(file: Path) -> None:
    """Write what `pip config list` shows for this user, without constraints: those are for other packages."""
    shown = configparser.ConfigParser(interpolation=None)
    shown["global"] = {key: value for key, value in pip_settings() if key not in ("constraint", "default-timeout")}
    with file.open("w") as opened:
        shown.write(opened)


def pip_settings() -> Iterator[tuple[str, str]]:
    """Settings of pip by name, those of variables too."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        yield name.strip(":").rpartition(".")[2], value.strip("'\"")


def package_folders() -> list[str]:
    """Folders of this machine that pip's settings name: the build must see them."""
    words = (word.removeprefix("file://") for _, value in pip_settings() for word in value.split())
    folders = {word.removesuffix("/simple") for word in words if word.startswith("/")}
    return sorted(folder for folder in folders if Path(folder).is_dir())
