"""Bare roots of distributions, made by debootstrap and kept as images of podman."""

import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

PACKAGES = "ca-certificates,git,make,python3,sudo"
"""What a person has who has cloned the repository."""


@dataclass(frozen=True)
class BareRelease:
    """One release of a distribution. `script`: debootstrap's script for it, if the installed debootstrap has none."""

    suite: str
    components: str = "main"
    script: str | None = None

    @property
    def image(self) -> str:
        """The name of its image."""
        return f"localhost/pageworker-fresh-{self.suite}"


RELEASES = {
    "debian-12": BareRelease("bookworm"),
    "debian-13": BareRelease("trixie"),
    "ubuntu-24.04": BareRelease("noble", "main,universe", "gutsy"),
}
HOST_FILES = ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt")
"""Copied from the host when a trial runs, with apt's and pip's settings: how the host reaches its package sources is a
matter of the host alone."""


PIP_SETTING = re.compile(r"^(?:global|:env:)\.([a-z-]+)='(.*)'$", re.MULTILINE)
PIP_SOURCES = {"index-url", "extra-index-url", "find-links", "cert", "trusted-host"}
LOCAL_FOLDER = re.compile(r"(?:^|file://|\s)(/[\w./-]+?)(?:/simple)?(?=\s|$)")


class RootNotBuilt(Exception):
    """debootstrap or podman failed; the message has the end of what it printed."""


def image_of(release: BareRelease, archive_keys: str | None) -> str:
    """The image of a bare root, made if there is none. `archive_keys`: a keyring of the archive for debootstrap; `""`
    accepts any. Raises RootNotBuilt."""
    if subprocess.run(["podman", "image", "exists", release.image], check=False).returncode == 0:
        return release.image
    with tempfile.TemporaryDirectory(prefix="pw-fresh-", dir="/var/tmp") as temporary:
        root = Path(temporary) / "root"
        keys = [] if archive_keys is None else [f"--keyring={archive_keys}"] if archive_keys else ["--no-check-gpg"]
        script = [f"/usr/share/debootstrap/scripts/{release.script}"] if release.script else []
        options = ["--variant=minbase", f"--components={release.components}", f"--include={PACKAGES}"]
        # "": debootstrap's own mirror of the suite.
        _run(["debootstrap", *keys, *options, release.suite, str(root), "", *script])
        import_root(root, release)
    return release.image


def import_root(root: Path, release: BareRelease) -> None:
    """Make the image from a folder that holds a root. Raises RootNotBuilt."""
    with tempfile.TemporaryDirectory(prefix="pw-fresh-", dir="/var/tmp") as temporary:
        archive = Path(temporary) / "root.tar"
        left_out = [f"--exclude=./{name}/*" for name in ("proc", "sys", "dev")]
        _run(["tar", "-C", str(root), *left_out, "-cf", str(archive), "."])
        _run(["podman", "import", str(archive), release.image])


def host_options(folder: Path) -> list[str]:
    """Copy what the host needs to reach its package sources into the folder. Returns podman's options for it."""
    options = []
    found = [*map(Path, HOST_FILES), *sorted(Path("/etc/apt/apt.conf.d").glob("99*"))]
    for number, source in enumerate(path for path in found if path.is_file()):
        copied = folder / f"{number}-{source.name}"
        shutil.copyfile(source, copied)
        copied.chmod(0o644)
        options += ["-v", f"{copied}:{source}:ro"]
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    # pip lists its environment first, and that overrides its files.
    settings = dict(reversed(PIP_SETTING.findall(listed.stdout)))
    for name in PIP_SOURCES & settings.keys():
        options += ["-e", f"PIP_{name.upper().replace('-', '_')}={settings[name]}"]
        for local in LOCAL_FOLDER.findall(settings[name]):
            options += ["-v", f"{local}:{local}:ro"] if Path(local).is_dir() else []
    return options


def _run(command: list[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise RootNotBuilt(f"{command[0]}: {done.stdout[-2000:]}")
