"""Pushes the images of a release: `publish.py FOLDER REGISTRY/NAME [-- OPTION of podman push ...]`.

FOLDER is what `make release` wrote. The images go to REGISTRY/NAME:VERSION-headless and VERSION-full. No tag that a
cluster may follow is set, so a push that fails halfway changes no worker. At the end FOLDER.published.json has the
digests, by which they are deployed. It is there only if all pushes succeeded. REGISTRY_USER and REGISTRY_PASSWORD log
podman in.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from deploy.release.release import CHECKSUMS, IMAGES, sha256

SECONDS = 1800.0


class PublishFailed(Exception):
    """The release was not published. The text says what is in the registry, and how to go on."""


def check_release(folder: Path) -> dict[str, str]:
    """Check the checksums. Returns the digest of each image by its name. Raises PublishFailed."""
    try:
        lines = (folder / CHECKSUMS).read_text().splitlines()
        expected = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
        found = {name: sha256(folder / name) for name in expected}
        images: dict[str, str] = json.loads((folder / IMAGES).read_text())
    except (OSError, ValueError) as error:
        raise PublishFailed(f"{folder} is not a whole release: {error}. Build it with `make release`.") from error
    if wrong := sorted(name for name, digest in expected.items() if found[name] != digest):
        raise PublishFailed(f"{folder}: these files differ from {CHECKSUMS}: {', '.join(wrong)}")
    return images


def check_images(images: Mapping[str, str]) -> None:
    """Check that podman has the images that the release names. Raises PublishFailed."""
    for name, digest in images.items():
        if podman("image", "inspect", "--format", "{{.Digest}}", f"localhost/{name}").strip() != digest:
            raise PublishFailed(f"podman's localhost/{name} is another image than that of the release. Build it again.")


def log_in(target: str, user: str, password: str) -> None:
    """Log podman in to the registry of `target`. Raises PublishFailed."""
    podman("login", "--username", user, "--password-stdin", target.partition("/")[0], text=password)


def push(images: Mapping[str, str], version: str, target: str, options: Sequence[str]) -> dict[str, str]:
    """Push all images. Returns by tag the digest that the registry has: it stores layers compressed, so it differs.

    Raises PublishFailed.
    """
    pushed: dict[str, str] = {}
    for name in images:
        tag = f"{version}-{name.rpartition(':')[2]}"
        with tempfile.NamedTemporaryFile(prefix="pw-digest-") as digest:
            words = ["--quiet", "--digestfile", digest.name, *options, f"localhost/{name}", f"docker://{target}:{tag}"]
            try:
                podman("push", *words)
            except PublishFailed as error:
                before = (
                    f"Pushed before it, and followed by no worker: {', '.join(pushed)}."
                    if pushed
                    else "Nothing was pushed."
                )
                raise PublishFailed(
                    f"{target} does not take {tag}. {before} Repair the cause and run it again.\n{error}"
                ) from error
            pushed[tag] = f"{target}@{Path(digest.name).read_text().strip()}"
    return pushed


def podman(*words: str, text: str = "") -> str:
    """Run podman with this input. Returns its output. Raises PublishFailed."""
    try:
        ended = subprocess.run(["podman", *words], input=text, capture_output=True, text=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PublishFailed(f"podman {words[0]}: {error}") from error
    if ended.returncode:
        raise PublishFailed(f"podman {words[0]}: {ended.stderr.strip()[-2000:]}")
    return ended.stdout


def main() -> None:
    """Publish the release of argv, and print the digests."""
    words = argparse.ArgumentParser(prog="publish.py")
    words.add_argument("folder", type=Path)
    words.add_argument("target")
    words.add_argument("options", nargs="*")
    given = words.parse_args()
    folder = given.folder.resolve()
    record = folder.with_name(f"{folder.name}.published.json")
    try:
        images = check_release(folder)
        check_images(images)
        if user := os.environ.get("REGISTRY_USER"):
            log_in(given.target, user, os.environ.get("REGISTRY_PASSWORD", ""))
        pushed = push(images, folder.name.removeprefix("pageworker-"), given.target, given.options)
    except PublishFailed as error:
        sys.exit(f"publish.py: {error}")
    record.write_text(json.dumps(pushed, indent=1) + "\n")
    # A workflow of GitHub passes the image on to its next job by this file.
    if output := os.environ.get("GITHUB_OUTPUT"):
        with Path(output).open("a") as opened:
            opened.write(f"image={next(iter(pushed.values()))}\n")
    sys.stdout.writelines(f"{tag} {image}\n" for tag, image in pushed.items())


if __name__ == "__main__":
    main()
