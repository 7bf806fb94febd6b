"""From folders to bundles."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pw_modules.author import folder, manifest

from pageworker_sandbox.signing.archive import read_archive
from pageworker_supervisor.registry.errors import PackRefused, RegistryRefused
from pageworker_supervisor.registry.packing import pack
from pageworker_supervisor.registry.scaffold import scaffold

STRUCT = b"""
import msgspec
print("noise at import")
class Input(msgspec.Struct, forbid_unknown_fields=True):
    url: str
async def handler(page, payload, helpers, context): ...
"""


def mistakes(root: Path) -> str:
    with pytest.raises(PackRefused) as refused:
        pack(root)
    return "\n".join(map(str, refused.value.mistakes))


def test_the_same_sources_are_the_same_bytes(tmp_path: Path) -> None:
    one, other = folder(tmp_path / "a"), folder(tmp_path / "b")
    for path in (other / "shop_product/__init__.py", other / "module.toml"):
        path.chmod(0o777)
        os.utime(path, (1, 1))
    (other / "shop_product" / "__pycache__").mkdir()
    (other / "shop_product" / "__pycache__" / "x.pyc").write_bytes(b"x")
    for name in (".env", ".git", "old-1.0.0.zip", "release.key", "input.schema.json", "b.pyc"):
        (other / name).write_text("not to be packed")
    bundle = pack(one)
    assert pack(other).data == bundle.data
    assert set(read_archive(bundle.data)) == {"module.toml", "input.schema.json", "shop_product/__init__.py"}
    assert bundle.sha256 == "c4dd96b45bc88d7610a7a21957528d4401c44f91f881198674588d3b6ad4a016"  # on any machine


def test_another_process_with_another_hash_seed_packs_the_same(tmp_path: Path) -> None:
    root = folder(tmp_path, manifest(more="[input]\n[input.properties]\nb = {}\na = {}\nc = {}\n"))
    program = (
        "import sys, pathlib; from pageworker_supervisor.registry.packing import pack;"
        "print(pack(pathlib.Path(sys.argv[1])).sha256)"
    )
    for seed in ("1", "2"):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "TZ": "Asia/Tokyo",
            "LC_ALL": "C",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        done = subprocess.run(
            [sys.executable, "-c", program, str(root)], capture_output=True, text=True, check=True, env=environment
        )
        assert done.stdout.strip() == pack(root).sha256


def test_tests_are_left_out_unless_the_module_is_in_their_folder(tmp_path: Path) -> None:
    root = folder(tmp_path)
    before = pack(root).sha256
    for name in ("tests", "shop_product/tests"):
        (root / name).mkdir()
        (root / name / "shop.har").write_text("{}")
    files = read_archive(pack(root).data)
    assert "shop_product/tests/shop.har" in files
    assert not [name for name in files if name.startswith("tests/")]
    (root / "shop_product/tests/shop.har").unlink()
    assert pack(root).sha256 == before
    (root / "tests" / "__init__.py").write_bytes((root / "shop_product" / "__init__.py").read_bytes())
    (root / "module.toml").write_text(manifest().replace("shop_product:", "tests:"))
    assert "tests/shop.har" in read_archive(pack(root).data)


def test_the_schema_comes_from_the_table_or_from_a_struct(tmp_path: Path) -> None:
    assert pack(folder(tmp_path / "none")).input_schema == {"type": "object"}
    table = manifest(more='[input]\ntype = "object"\nrequired = ["a"]\n')
    assert pack(folder(tmp_path / "table", table)).input_schema["required"] == ["a"]
    struct = manifest(more='input = "shop_product:Input"\n')
    schema = pack(folder(tmp_path / "struct", struct, STRUCT)).input_schema
    assert schema["$defs"]["Input"]["required"] == ["url"]
    assert not list((tmp_path / "struct").rglob("__pycache__"))


def test_the_output_schema_is_packed_if_the_manifest_has_one(tmp_path: Path) -> None:
    bundle = pack(folder(tmp_path / "table", manifest(more='[output]\nrequired = ["a"]\n')))
    assert bundle.output_schema == {"required": ["a"]}
    assert "output.schema.json" in read_archive(bundle.data)
    struct = pack(folder(tmp_path / "struct", manifest(more='output = "shop_product:Input"\n'), STRUCT))
    assert struct.output_schema is not None
    assert struct.output_schema["$defs"]["Input"]["required"] == ["url"]
    assert pack(folder(tmp_path / "none")).output_schema is None


@pytest.mark.parametrize(
    ("more", "code", "expected"),
    [
        ('input = "shop_product:Nope"\n', STRUCT, "no attribute 'Nope'"),
        (
            'input = "shop_product:Input"\n',
            b"import nowhere_at_all\nasync def handler(a, b, c, d): ...\n",
            "nowhere_at_all",
        ),
        (
            'input = "shop_product:Input"\n',
            b"raise SystemExit(3)\nasync def handler(a, b, c, d): ...\n",
            "ended the process",
        ),
        ('[input]\ntype = "objekt"\n', STRUCT, "input schema"),
        ('[input]\ntype = "string"\n', STRUCT, "a payload is always one"),
        ('[output]\ntype = "objekt"\n', STRUCT, "output schema"),
        (
            '[output]\ntype = "array"\n',
            STRUCT,
            "module.toml:6: `output.type`: found 'array', expected \"object\": a re",
        ),
        ("", b"def handler(page, payload, helpers, context): ...\n", "expected `async def handler"),
        ("", b"async def handler(page, payload): ...\n", "2 parameters"),
        ("", b"async def handle(page, payload, helpers, context): ...\n", "did you mean `handle`?"),
        ("", b"async def handler(:\n", "shop_product/__init__.py:1: found invalid syntax"),
    ],
)
def test_what_an_author_gets_wrong(tmp_path: Path, more: str, code: bytes, expected: str) -> None:
    assert expected in mistakes(folder(tmp_path, manifest(more=more), code))


@pytest.mark.parametrize(
    ("text", "code", "places"),
    [
        (manifest(), b"async def handle(page, payload, helpers, context): ...\n", ["module.toml:3: `entrypoint`"]),
        (manifest(more='[input]\ntype = "string"\n'), STRUCT, ["module.toml:6: `input.type`"]),
        (
            manifest(more='[input]\ntype = "objekt"\n'),
            STRUCT,
            ["module.toml:5: `input`", "module.toml:6: `input.type`"],
        ),
        (
            manifest(more="\n\ntimeout_seconds = 0\negres = []\n"),
            STRUCT,
            ["module.toml:8: `egres`", "module.toml:7: `t"],
        ),
        (manifest(more="tenants = [\n"), STRUCT, ["module.toml:5: found"]),
        (manifest(more="x = = 1\n"), STRUCT, ["module.toml:5: found"]),
        (
            "",
            STRUCT,
            ["module.toml: `name`", "module.toml: `version`", "module.toml: `entrypoint`", "module.toml: `sdk`"],
        ),
        (manifest(), b"\n\nasync def handler(page, payload): ...\n", ["shop_product/__init__.py:3: `handler`"]),
        (manifest(), b"\nasync def handler(:\n", ["shop_product/__init__.py:2: found"]),
    ],
)
def test_a_mistake_names_file_and_line(tmp_path: Path, text: str, code: bytes, places: list[str]) -> None:
    told = mistakes(folder(tmp_path, text, code)).splitlines()
    assert [line[: len(place)] for line, place in zip(told, places, strict=True)] == places


def test_a_handler_from_another_module_is_taken(tmp_path: Path) -> None:
    root = folder(tmp_path, code=b"from .work import handler\n")
    (root / "shop_product/work.py").write_text("async def handler(page, payload, helpers, context): ...\n")
    assert pack(root)


def test_links_and_odd_names(tmp_path: Path) -> None:
    root = folder(tmp_path)
    (tmp_path / "outside").write_text("secret")
    (root / "good.txt").symlink_to(root / "module.toml")
    assert read_archive(pack(root).data)["good.txt"] == (root / "module.toml").read_bytes()
    (root / "out.txt").symlink_to(tmp_path / "outside")
    (root / "up").symlink_to(tmp_path)
    (root / "loop").symlink_to(root)
    (root / "gone.txt").symlink_to(root / "nothing")
    (root / "ä.txt").write_text("")
    os.mkfifo(root / "pipe")
    told = mistakes(root)
    assert "out.txt: found a link out of the folder" in told
    assert "up: found a link out of the folder" in told
    for name in ("loop", "gone.txt", "pipe"):
        assert f"{name}: found not a regular file" in told
    assert "ä.txt: found an invalid name" in told


def test_no_folder_no_manifest_wrong_manifest(tmp_path: Path) -> None:
    assert "no such file" in mistakes(tmp_path / "nothing")
    assert "workerctl module new" in mistakes(tmp_path)
    told = mistakes(folder(tmp_path, "name = 'X'\nversion = 1\n"))
    assert told.count("\n") == 3


def test_a_new_module_packs(tmp_path: Path) -> None:
    files = scaffold("acme.prices", tmp_path)
    assert all(path.is_file() for path in files)
    bundle = pack(tmp_path / "acme.prices")
    assert (bundle.name, bundle.version) == ("acme.prices", "0.1.0")
    with pytest.raises(RegistryRefused, match="already exists"):
        scaffold("acme.prices", tmp_path)
    with pytest.raises(RegistryRefused, match="not a module name"):
        scaffold("../x", tmp_path)


@pytest.mark.parametrize("root", sorted((Path(__file__).parents[2] / "examples").glob("*/module.toml")), ids=str)
def test_the_examples_pack(root: Path) -> None:
    assert pack(root.parent)
