"""The bundle of a test: the module's own files, an entry point around its handler, and no way out while it replays."""

import ast
import json

from pw_modules.author import packed

from pageworker_author.tested_bundle import PACKAGE, recording_bundle, replaying_bundle
from pageworker_sandbox.signing.archive import read_archive

EGRESS = 'egress = ["shop.example"]\n'


def test_a_replay_may_reach_no_host() -> None:
    bundle = replaying_bundle(packed(more=EGRESS), 3, None)
    assert bundle.manifest.egress == ()
    assert (bundle.version, bundle.manifest.entrypoint) == ("1.4.2-dev.3", f"{PACKAGE}:handler")
    files = read_archive(bundle.data)
    assert json.loads(files[f"{PACKAGE}/index.json"]) == []
    assert "shop_product/__init__.py" in files


def test_a_recording_may_reach_what_the_module_may() -> None:
    bundle = recording_bundle(packed(more=EGRESS), 1)
    assert bundle.manifest.egress == ("shop.example",)
    assert f"{PACKAGE}/replay.har" not in read_archive(bundle.data)


def test_its_entry_point_calls_the_handler_of_the_module() -> None:
    files = read_archive(recording_bundle(packed(), 1).data)
    entry = files[f"{PACKAGE}/__init__.py"].decode()
    assert "import shop_product as module" in entry
    assert 'recorded(module, "handler")' in entry
    ast.parse(files[f"{PACKAGE}/runtime.py"])
