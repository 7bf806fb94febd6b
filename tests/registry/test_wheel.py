"""What of a wheel goes into a bundle, and what no bundle may hold."""

import pytest
from registry.wheels import wheel

from pageworker_supervisor.registry.wheel import is_native, wheel_files, wheel_name

FILE = "acme_text-1.0-py3-none-any.whl"


@pytest.mark.parametrize(
    ("file", "pure"),
    [
        (FILE, True),
        ("six-1.16.0-py2.py3-none-any.whl", True),
        ("acme-1.0-1-py311-none-any.whl", True),
        ("acme-1.0-cp311-cp311-manylinux_2_17_x86_64.whl", False),
        ("acme-1.0-py3-none-win_amd64.whl", False),
        ("acme-1.0-py2-none-any.whl", False),
    ],
)
def test_its_name_says_whether_it_is_pure(file: str, pure: bool) -> None:
    name = wheel_name(file)
    assert name is not None
    assert name.pure is pure


def test_other_files_are_no_wheels() -> None:
    assert wheel_name("acme-1.0.tar.gz") is None


def test_packages_and_licences_are_kept() -> None:
    files, mistakes = wheel_files(
        FILE,
        wheel(
            {
                "acme_text/__init__.py": "a = 1",
                "acme_text/data.json": "{}",
                "acme_text/__pycache__/x.pyc": "",
                "acme_text/.hidden": "",
                "acme_text-1.0.dist-info/RECORD": "",
                "acme_text-1.0.dist-info/licenses/LICENSE.txt": "MIT",
                "acme_text-1.0.data/scripts/acme": "",
                "acme_text-1.0.data/purelib/acme_more.py": "b = 1",
            }
        ),
    )
    assert mistakes == ()
    assert sorted(files) == [
        "acme_more.py",
        "acme_text-1.0.dist-info/licenses/LICENSE.txt",
        "acme_text/__init__.py",
        "acme_text/data.json",
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("acme/_fast.cpython-311-x86_64-linux-gnu.so", "native code"),
        ("acme/_fast.pyd", "native code"),
        ("acme/libacme.so.1.2", "native code"),
        ("acme.libs/libacme.dylib", "native code"),
        ("../outside.py", "an invalid name"),
        ("/etc/passwd", "an invalid name"),
        ("acme/ä.py", "an invalid name"),
        ("msgspec/__init__.py", "leave msgspec out of the lock"),
        ("typing.py", "standard library"),
    ],
)
def test_what_no_bundle_may_hold_is_named(name: str, expected: str) -> None:
    _, mistakes = wheel_files(FILE, wheel({name: ""}))
    assert expected in str(mistakes[0])
    assert FILE in str(mistakes[0])


def test_a_file_that_is_no_zip_is_refused() -> None:
    assert "not a valid zip file" in str(wheel_files(FILE, b"PK\3\4nothing")[1][0])


def test_a_wheel_that_is_damaged_is_refused() -> None:
    data = bytearray(wheel({"acme.py": "x" * 1000}))
    data[40:44] = b"\xff\xff\xff\xff"
    assert "not a valid zip file" in str(wheel_files(FILE, bytes(data))[1][0])


def test_source_is_not_native() -> None:
    assert not is_native("acme/so.py")
    assert not is_native("acme/a.sof")
