"""Dependencies go into the bundle from the wheels that the lock file names, and from no others."""

from pathlib import Path

import pytest
from pw_modules.author import folder, manifest
from registry.wheels import put_wheel

from pageworker_sandbox.signing.archive import read_archive
from pageworker_supervisor.registry import dependencies
from pageworker_supervisor.registry.errors import PackRefused
from pageworker_supervisor.registry.packing import pack

TEXT = {"acme_text/__init__.py": "from acme_words import WORDS\n"}
WORDS = {"acme_words.py": "WORDS = ['a']\n"}
STRUCT = b"""
import msgspec
import acme_text

class Input(msgspec.Struct):
    url: str

async def handler(page, payload, helpers, context):
    return acme_text.WORDS
"""


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    return tmp_path / "wheels"


@pytest.fixture
def module(tmp_path: Path, wheels: Path) -> Path:
    root = folder(tmp_path, manifest(more='input = "shop_product:Input"\n'), STRUCT)
    text = put_wheel(wheels, "acme_text-1.0-py3-none-any.whl", TEXT)
    (root / "requirements.lock").write_text(text + put_wheel(wheels, "acme_words-2.1-py2.py3-none-any.whl", WORDS))
    return root


def refused(module: Path, wheels: Path | None) -> str:
    with pytest.raises(PackRefused) as caught:
        pack(module, wheels)
    return "\n".join(map(str, caught.value.mistakes))


def test_the_same_lock_gives_the_same_bytes(module: Path, wheels: Path, tmp_path: Path) -> None:
    """Whatever else is in the folder of wheels, and wherever it is. The input schema may need the dependencies."""
    first = pack(module, wheels)
    assert first.input_schema["$ref"] == "#/$defs/Input"
    files = read_archive(first.data)
    assert {name for name in files if name.startswith("vendored/")} == {
        "vendored/acme_text/__init__.py",
        "vendored/acme_words.py",
    }
    other = tmp_path / "other"
    wheels.rename(other)
    put_wheel(other, "acme_text-0.9-py3-none-any.whl", {"acme_text/__init__.py": "old = True"})
    assert pack(module, other).data == first.data


def test_kept_wheels_are_used_without_pip(module: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = module / dependencies.KEPT
    kept.parent.mkdir()
    wheels.rename(kept)
    monkeypatch.setattr(dependencies, "_fetch", None)
    assert "vendored/acme_words.py" in read_archive(pack(module).data)


def test_pip_fetches_what_is_missing(module: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    assert "vendored/acme_words.py" in read_archive(pack(module).data)
    assert len(list((module / dependencies.KEPT).iterdir())) == 2
    (wheels / "acme_words-2.1-py2.py3-none-any.whl").unlink()
    (module / dependencies.KEPT / "acme_words-2.1-py2.py3-none-any.whl").unlink()
    told = refused(module, None)
    assert "requirements.lock:3: `acme-words`" in told
    assert "--wheels DIR" in told


def test_another_wheel_of_the_same_version_is_not_used(module: Path, wheels: Path) -> None:
    put_wheel(wheels, "acme_words-2.1-py2.py3-none-any.whl", {"acme_words.py": "WORDS = ['evil']\n"})
    assert "no wheel of acme-words 2.1 with a SHA-256 of the lock" in refused(module, wheels)


def test_a_native_wheel_is_refused_with_what_helps(module: Path, wheels: Path) -> None:
    line = put_wheel(wheels, "acme_fast-1.0-cp311-cp311-linux_x86_64.whl", {"acme_fast.so": ""})
    lock = module / "requirements.lock"
    lock.write_text(lock.read_text() + line)
    told = refused(module, wheels)
    assert "requirements.lock:5: `acme_fast-1.0-cp311-cp311-linux_x86_64.whl`" in told
    assert "use a pure-Python package" in told


def test_a_wheel_of_a_pure_name_with_native_code_is_refused(module: Path, wheels: Path) -> None:
    line = put_wheel(wheels, "acme_fast-1.0-py3-none-any.whl", {"acme_fast/x.pyd": ""})
    (module / "requirements.lock").write_text(line)
    assert "acme_fast-1.0-py3-none-any.whl/acme_fast/x.pyd: " in refused(module, wheels)


@pytest.mark.parametrize(("name", "expected"), [("fast.so", "native code"), ("vendored/x.py", "another name")])
def test_a_folder_that_brings_its_own_is_refused(module: Path, wheels: Path, name: str, expected: str) -> None:
    (module / name).parent.mkdir(exist_ok=True)
    (module / name).write_bytes(b"")
    assert expected in refused(module, wheels)


def test_a_dependency_never_hides_the_module(module: Path, wheels: Path) -> None:
    (module / "requirements.lock").write_text(
        put_wheel(wheels, "shop-1.0-py3-none-any.whl", {"shop_product/__init__.py": ""})
    )
    assert "a package that requirements.lock names too" in refused(module, wheels)


def test_two_dependencies_with_one_file_are_refused(module: Path, wheels: Path) -> None:
    lines = put_wheel(wheels, "b_one-1-py3-none-any.whl", WORDS) + put_wheel(
        wheels, "b_two-1-py3-none-any.whl", {**WORDS, "x_more.py": ""}
    )
    (module / "requirements.lock").write_text(lines)
    assert "a file that b_one-1-py3-none-any.whl has too" in refused(module, wheels)


def test_a_lock_file_with_a_mistake_fetches_nothing(module: Path) -> None:
    (module / "requirements.lock").write_text("acme_text\n")
    assert refused(module, None).count("\n") == 0
