"""A file goes from n8n through the upload form of a site, and back into n8n as a download of the job."""

import hashlib

import pytest
from pw_n8n.file_flow import FILE_NAME, FLOW, PATH, file_flow
from pw_n8n.system import System

pytestmark = [pytest.mark.n8n, pytest.mark.timeout(900)]


def test_a_file_of_n8n_comes_back_through_the_form_of_a_site_byte_by_byte(system: System) -> None:
    if system.api is None:
        pytest.skip("needs pageworker-api, and the tarball of `make n8n-node`")
    site = system.scans
    system.client.save(file_flow(system.scans_url))
    system.post(PATH, {}).raise_for_status()
    (execution,) = system.client.ended(FLOW, 1)
    assert (execution.status, execution.reason) == ("success", "")
    digest = hashlib.sha256(site.scan).hexdigest()
    (result,) = execution.items("Run")
    assert result["data"] == {"name": FILE_NAME, "type": "application/pdf", "sha256": digest}
    (artifact,) = result["artifacts"]
    assert (artifact["kind"], artifact["sha256"], artifact["bytes"]) == ("back", digest, len(site.scan))
    (before,), (after,) = execution.items("Hash"), execution.items("Hash back")
    assert (before["sha256"], after["sha256"]) == (digest, digest)
    assert site.returned == [site.scan]
