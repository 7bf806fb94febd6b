"""A module's files in memory."""

import hashlib
import io
import zipfile

import pytest

from pageworker_runner.errors import ModuleBroken
from pageworker_runner.limits import LIMITS
from pageworker_runner.modules.bundle import LoadedBundle


def zipped(files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def loaded(data: bytes) -> LoadedBundle:
    return LoadedBundle("shop.product@1.0.0", data, hashlib.sha256(data).hexdigest())


FILES = {
    "shop/__init__.py": b"",
    "shop/prices.py": b"1",
    "shop/data/list.txt": b"chair",
    "shop/deep/er.py": b"",
    "one.py": b"",
}


@pytest.mark.parametrize(
    ("dotted", "found"),
    [
        ("shop", ("shop/__init__.py", True)),
        ("shop.prices", ("shop/prices.py", False)),
        ("shop.deep", ("shop/deep/", True)),
        ("shop.deep.er", ("shop/deep/er.py", False)),
        ("shop.data", ("shop/data/", True)),
        ("one", ("one.py", False)),
        ("shop.list", None),
        ("other", None),
    ],
)
def test_a_python_module_is_a_file_or_a_folder(dotted: str, found: tuple[str, bool] | None) -> None:
    assert loaded(zipped(FILES)).find(dotted) == found


def test_dependencies_are_found_below_their_folder_and_hide_nothing() -> None:
    bundle = loaded(
        zipped({**FILES, "vendored/text/__init__.py": b"", "vendored/shop/no.py": b"", "vendored/w.py": b""})
    )
    assert bundle.find("text") == ("vendored/text/__init__.py", True)
    assert bundle.find("w") == ("vendored/w.py", False)
    assert bundle.find("shop") == ("shop/__init__.py", True)
    assert {"text", "w", "shop", "one"} == bundle.packages


def test_it_names_what_can_be_imported_at_the_top() -> None:
    assert loaded(zipped(FILES)).packages == {"shop", "one"}


def test_files_are_read_from_memory_and_a_missing_one_is_the_modules_fault() -> None:
    bundle = loaded(zipped(FILES))
    assert bundle.read("shop/data/list.txt") == b"chair"
    with pytest.raises(ModuleBroken, match=r"shop.product@1.0.0: shop/no.txt cannot be read"):
        bundle.read("shop/no.txt")


def test_bytes_with_another_sha256_are_refused() -> None:
    with pytest.raises(ModuleBroken, match="SHA-256 is not the announced one"):
        LoadedBundle("a@1", zipped(FILES), "0" * 64)


@pytest.mark.parametrize("data", [b"", b"PK\x05\x06 no zip", b"x" * 100])
def test_bytes_that_are_no_zip_are_refused(data: bytes) -> None:
    with pytest.raises(ModuleBroken, match="the bundle is not a zip file"):
        loaded(data)


def test_a_bundle_that_unpacks_to_too_much_is_refused_before_it_is_unpacked() -> None:
    half = bytes(LIMITS.bundle_bytes // 2)
    bomb = zipped({"a": half, "b": half + b"x"}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < LIMITS.bundle_bytes / 100
    with pytest.raises(ModuleBroken, match=r"bytes unpacked; at most \d+ are allowed"):
        loaded(bomb)
