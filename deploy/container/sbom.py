"""Writes the parts list (SBOM) of an image in CycloneDX's JSON: `sbom.py IMAGE [OPTION OF podman ...]`.

It asks the image itself what is installed: Python packages and Debian packages. `cyclonedx-py` describes the Python
packages. The Debian packages are added to the same document, which is then validated against CycloneDX's schema.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

SCHEMA = "1.6"
SECONDS = 300.0
LIST_PARTS = r"""
import importlib.metadata, json, platform, subprocess
query = ["dpkg-query", "--show", "--showformat", "${Package}\t${Version}\t${Architecture}\n"]
debian = subprocess.run(query, check=True, capture_output=True, text=True).stdout
python = {each.metadata["Name"]: each.version for each in importlib.metadata.distributions()}
print(json.dumps({
    "python": sorted(python.items()),
    "debian": sorted(line.split("\t") for line in debian.splitlines()),
    "distribution": platform.freedesktop_os_release(),
}))
"""
# Any: documents in CycloneDX's JSON.
Document = dict[str, Any]


def merge(python_document: Document, image: str, digest: str, parts: Mapping[str, Any]) -> Document:
    """One document: the Python packages of `python_document`, the Debian packages of `parts`, the image as its subject.

    `parts` is what LIST_PARTS prints. `digest` is that of the image's manifest, `sha256:` and 64 hex digits.
    """
    release = parts["distribution"]
    debian = debian_components(parts["debian"], f"{release['ID']}-{release['VERSION_ID']}")
    system = {
        "type": "operating-system",
        "bom-ref": "operating-system",
        "name": release["ID"],
        "version": release["VERSION_ID"],
    }
    subject = {
        "type": "container",
        "bom-ref": "image",
        "name": image,
        "version": digest,
        "hashes": [{"alg": "SHA-256", "content": digest.partition(":")[2]}],
    }
    kept = {key: value for key, value in python_document.items() if key not in ("dependencies", "serialNumber")}
    metadata = {**python_document.get("metadata", {}), "component": subject}
    return {**kept, "metadata": metadata, "components": [*python_document["components"], system, *debian]}


def debian_components(rows: Iterable[tuple[str, str, str]], distribution: str) -> list[Document]:
    """Components of Debian packages, from name, version and architecture of each. The purl is that of the purl
    specification for `deb`."""
    found = []
    for name, version, architecture in rows:
        purl = f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={architecture}&distro={quote(distribution)}"
        found.append({"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl})
    return found


def requirements(packages: Iterable[tuple[str, str]]) -> str:
    """Lines `NAME==VERSION`, as `cyclonedx-py requirements` reads them. pageworker is in no registry of packages."""
    return "".join(f"{name}=={version}\n" for name, version in packages if name != "pageworker")


def describe(image: str, options: Sequence[str] = ()) -> Document:
    """The document of an image that podman has. `options` of podman itself, such as `--runtime runc`.

    Raises CalledProcessError, ValueError for an invalid document.
    """
    digest = _output("podman", "image", "inspect", "--format", "{{.Digest}}", image).strip()
    command = ["run", "--rm", "--network", "none", "--no-healthcheck"]
    command += ["--ulimit", "nofile=20000:20000", "--ulimit", "nproc=20000:20000"]
    python = ["--entrypoint", "/opt/pageworker/bin/python", image, "-c", LIST_PARTS]
    parts = json.loads(_output("podman", *options, *command, *python))
    described = _output(
        *(sys.executable, "-m", "cyclonedx_py", "requirements", "--output-reproducible"),
        *("--spec-version", SCHEMA, "-"),
        text=requirements(parts["python"]),
    )
    document = merge(json.loads(described), image, digest, parts)
    validate(json.dumps(document))
    return document


def validate(text: str) -> None:
    """Raise ValueError if the text does not follow CycloneDX's schema."""
    # Not installed with pageworker: `make sbom` installs it beside.
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    problem = JsonStrictValidator(SchemaVersion.from_version(SCHEMA)).validate_str(text)
    if problem is not None:
        raise ValueError(f"the document is not valid CycloneDX {SCHEMA}: {problem}")


def _output(*command: str, text: str | None = None) -> str:
    ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, input=text or "", text=True, timeout=SECONDS)
    return ended.stdout


def main() -> None:
    """Write the document of the image in argv[1] to stdout."""
    sys.stdout.write(json.dumps(describe(sys.argv[1], sys.argv[2:]), indent=2) + "\n")


if __name__ == "__main__":
    main()
