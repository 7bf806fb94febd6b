"""Builds the image as `make image` does."""

import os
import subprocess
from pathlib import Path

from pw_image import base
from pw_image.podman import podman

ROOT = Path(__file__).resolve().parents[2]
BUILD_SECONDS = 2400.0
DATE = "1700000000"
"""The same for all commits, so that a build uses the layers of the last one."""
HEADLESS, FULL = "localhost/pageworker:headless", "localhost/pageworker:full"


def build(target: str, *options: str) -> str:
    """Build the target `headless` or `full`. Returns the digest of the image."""
    folders = [word for folder in base.package_folders() for word in ("--volume", f"{folder}:{folder}:ro")]
    command = [str(ROOT / "deploy/container/build.sh"), base.reference(), target]
    command += ["--isolation", "chroot", "--network", "host", "--pull=never", *folders, *options]
    ended = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=BUILD_SECONDS,
        env={"SOURCE_DATE_EPOCH": DATE, **os.environ},
    )
    if ended.returncode:
        raise RuntimeError(f"the image cannot be built:\n{ended.stdout.decode(errors='replace')[-4000:]}")
    return digest(f"localhost/pageworker:{target}")


def digest(image: str) -> str:
    """The digest of an image's manifest, which names each layer by its own digest."""
    return podman("image", "inspect", "--format", "{{.Digest}}", image).strip()


def inspect(image: str, template: str) -> str:
    """A part of an image's configuration, as JSON."""
    return podman("image", "inspect", "--format", "{{json " + template + "}}", image).strip()
