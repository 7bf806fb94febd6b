"""Requests to the control socket: the paths, and the answers to wrong bodies."""

from pathlib import Path

import httpx
import pytest
from pw_http import FakeWorker, running

from pageworker_supervisor.admin.control_socket import CONTROL_SOCKET


async def test_the_old_path_of_undrain_is_answered(tmp_path: Path) -> None:
    """Until 1.0: a workerctl of before may speak to this worker."""
    worker = FakeWorker()
    async with running(worker, tmp_path):
        transport = httpx.AsyncHTTPTransport(uds=str(tmp_path / CONTROL_SOCKET))
        async with httpx.AsyncClient(transport=transport) as client:
            for path in ("/resume", "/undrain"):
                worker.state = "draining"
                answer = await client.post(f"http://worker{path}")
                assert (answer.status_code, answer.json()["state"]) == (200, "ready")


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/drain", b'{"deadline": 3}', "unknown field `deadline`"),
        ("/drain", b'{"deadline_seconds": -1}', "negative"),
        ("/drain", b'{"deadline_seconds": "x"}', "deadline_seconds"),
        ("/cancel", b"{}", "job"),
        ("/cancel", b'{"job": {"job_id": "1", "tenant_id": "a/b"}}', "tenant_id"),
        ("/cancel", b"not json", "malformed"),
        ("/cancel", b" " * 70_000, "larger than"),
    ],
)
async def test_a_wrong_request_is_answered_in_words(tmp_path: Path, path: str, body: bytes, words: str) -> None:
    async with running(FakeWorker(), tmp_path):
        transport = httpx.AsyncHTTPTransport(uds=str(tmp_path / CONTROL_SOCKET))
        async with httpx.AsyncClient(transport=transport) as client:
            answer = await client.post(f"http://worker{path}", content=body)
    assert answer.status_code == 400
    assert words in answer.json()["error"]
