"""The parts list of an image, from what the image says about itself."""

from typing import Any

from deploy.container.sbom import debian_components, merge, requirements

DIGEST = "sha256:" + "a" * 64
PARTS: dict[str, Any] = {
    "python": [["msgspec", "0.22.0"], ["pageworker", "0.1.0"]],
    "debian": [["libstdc++6", "12.2.0-14+deb12u1", "amd64"], ["tzdata", "2025b-0+deb12u1", "all"]],
    "distribution": {"ID": "debian", "VERSION_ID": "12"},
}
PYTHON: dict[str, Any] = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "components": [{"type": "library", "name": "msgspec", "version": "0.22.0", "bom-ref": "requirements-L1"}],
    "dependencies": [{"ref": "requirements-L1"}],
    "metadata": {"tools": {"components": []}},
}


def test_python_packages_are_requirements_without_pageworker_itself() -> None:
    assert requirements(PARTS["python"]) == "msgspec==0.22.0\n"


def test_a_debian_package_has_a_purl_with_its_distribution() -> None:
    (first, _) = debian_components(PARTS["debian"], "debian-12")
    assert first["purl"] == "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14%2Bdeb12u1?arch=amd64&distro=debian-12"
    assert (first["name"], first["version"]) == ("libstdc++6", "12.2.0-14+deb12u1")


def test_one_document_has_all_parts_and_the_image_as_its_subject() -> None:
    document = merge(PYTHON, "localhost/pageworker:headless", DIGEST, PARTS)
    assert [each["name"] for each in document["components"]] == ["msgspec", "debian", "libstdc++6", "tzdata"]
    subject = document["metadata"]["component"]
    assert (subject["type"], subject["version"]) == ("container", DIGEST)
    assert subject["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    # References to components that other tools would look up must exist.
    assert "dependencies" not in document
    references = [each["bom-ref"] for each in document["components"]]
    assert len(set(references)) == len(references)
