"""A real server of Azure's blob storage on loopback: azurite, where it is installed (`npm install -g azurite`)."""

import base64
import hashlib
import hmac
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate

import httpx

from pw_servers.ports import free_port
from pw_servers.standalone import WITH_PARENT
from pw_servers.waiting import until

PROGRAM = shutil.which("azurite-blob")
CONTAINER = "modules"
# Azurite's own account and key, the same everywhere: https://github.com/Azure/Azurite#default-storage-account
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
VERSION = "2021-08-06"


@contextmanager
def azure_server() -> Iterator[dict[str, str]]:
    """A server with one container. Yields the environment that a worker needs to use it."""
    assert PROGRAM is not None, "azurite is not installed"
    port = free_port()
    url = f"http://127.0.0.1:{port}/{ACCOUNT}"
    options = ("--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry")
    process = subprocess.Popen(
        [*WITH_PARENT, PROGRAM, "--blobHost", "127.0.0.1", "--blobPort", str(port), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: _serves(url), "azurite serves", 60.0, 0.05)
        _create_container(url)
        yield {
            "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": KEY,
            "AZURE_STORAGE_ENDPOINT": url,
        }
    finally:
        process.kill()
        process.wait()


def _serves(url: str) -> bool:
    try:
        httpx.get(url)
    except httpx.TransportError:
        return False
    return True


def _create_container(url: str) -> None:
    """With the authorization "Shared Key" of the blob service, which obstore has no call for."""
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": VERSION}
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    empty = "\n" * 12
    signed = f"PUT{empty}{lines}/{ACCOUNT}/{ACCOUNT}/{CONTAINER}\nrestype:container"
    code = hmac.new(base64.b64decode(KEY), signed.encode(), hashlib.sha256).digest()
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(code).decode()}"
    httpx.put(f"{url}/{CONTAINER}", params={"restype": "container"}, headers=headers).raise_for_status()
