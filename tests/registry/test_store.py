"""A store in a process without free descriptors raises an error, and the process goes on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pageworker_supervisor.registry.errors import RegistryAway
from pageworker_supervisor.registry.store import LOCK_FILE, Store

SCRIPT = """
import asyncio, os, resource, sys
from pageworker_supervisor.obstore_panics import build_runtime
from pageworker_supervisor.registry.errors import RegistryAway
from pageworker_supervisor.registry.store import Store

async def main():
    store = Store(sys.argv[1])
    await asyncio.to_thread(lambda: None)  # the thread is there already
    if sys.argv[2] == "before":
        build_runtime()
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    held = []
    try:
        while True:
            held.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        pass
    try:
        if sys.argv[2] == "after":
            build_runtime()
        await store.get("file", 100)
    except (RegistryAway, OSError) as trouble:
        print(type(trouble).__name__)
    for descriptor in held:
        os.close(descriptor)
    if sys.argv[2] == "before":
        print((await store.get("file", 100)).data.decode())

asyncio.run(main())
"""


@pytest.mark.parametrize(("built", "said"), [("before", ["RegistryAway", "here"]), ("after", ["OSError"])])
def test_a_store_without_descriptors_fails_and_comes_back(built: str, said: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), built],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert done.stdout.splitlines() == said, done.stderr


@pytest.mark.parametrize(
    ("source", "label"),
    [
        ("/srv/a@b", "/srv/a@b"),
        ("file:///srv/registry", "/srv/registry"),
        ("https://ada:secret@shop.example/a@b", "https://shop.example/a@b"),
        ("az://box/modules?sig=secret", "az://box/modules"),
        ("s3://bucket/modules#secret", "s3://bucket/modules"),
    ],
)
def test_a_label_has_no_password_or_token(source: str, label: str) -> None:
    assert Store(source).label == label


async def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    """Another user of the folder could have root create a file anywhere."""
    registry, elsewhere = tmp_path / "registry", tmp_path / "elsewhere"
    registry.mkdir()
    (registry / LOCK_FILE).symlink_to(elsewhere)
    with pytest.raises(RegistryAway):
        async with Store(str(registry)).locked():
            pass
    assert not elsewhere.exists()
