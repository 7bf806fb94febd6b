"""A folder, from its manifest to its last file. Nothing of it is imported."""

from pathlib import Path

import pytest
from pw_modules.author import folder, manifest
from repository.sources import ROOT

import pageworker
from pageworker.deprecations import announced
from pageworker_supervisor.registry.lint import lint
from pageworker_supervisor.registry.lint_finding import LintFinding

COMPLETE = "timeout_seconds = 5\n[input]\ntype = 'object'\n[output]\ntype = 'object'\n"
CODE = b"raise SystemExit('imported')\nimport numpy\nasync def handler(page, payload, helpers, context): ...\n"
SDK = ("Page",)


def nothing(source: str) -> list[tuple[int, tuple[str, str, str]]]:
    return []


def found(root: Path) -> list[tuple[str, int, str, str]]:
    return [(each.file, each.line, each.severity, each.rule) for each in lint(root, SDK, nothing)]


def test_all_kinds_of_findings_have_file_and_line(tmp_path: Path) -> None:
    root = folder(tmp_path, manifest(more="egress = ['*']\n" + COMPLETE), CODE)
    (root / "shop_product" / "fast.so").write_bytes(b"\x7fELF")
    (root / "tests").mkdir()
    (root / "tests" / "test_it.py").write_text("import pytest\n")
    assert found(root) == [
        ("module.toml", 5, "warning", "egress"),
        ("shop_product/__init__.py", 2, "error", "import"),
        ("shop_product/fast.so", 0, "error", "native"),
    ]


def test_a_manifest_that_is_not_valid_is_all_that_is_reported(tmp_path: Path) -> None:
    assert found(folder(tmp_path, manifest(more="\ntimeout_seconds = 0\n"), CODE)) == [
        ("module.toml", 6, "error", "manifest")
    ]


@pytest.mark.parametrize(
    ("code", "line"),
    [
        (b"\ndef handler(page, payload, helpers, context): ...\n", 2),
        (b"async def handler(page): ...\n", 1),
        (b"async def handler(:\n", 1),
    ],
)
def test_what_packing_refuses_is_an_error(tmp_path: Path, code: bytes, line: int) -> None:
    assert found(folder(tmp_path, manifest(more=COMPLETE), code)) == [
        ("shop_product/__init__.py", line, "error", "source")
    ]


def test_a_schema_that_is_none_is_an_error_where_it_stands(tmp_path: Path) -> None:
    text = manifest(more="timeout_seconds = 5\n[input]\ntype = 'object'\n[output]\ntype = 'objekt'\n")
    code = b"async def handler(page, payload, helpers, context): ...\n"
    assert {(file, line) for file, line, *_ in found(folder(tmp_path, text, code))} == {
        ("module.toml", 8),
        ("module.toml", 9),
    }


def test_packages_of_the_lock_file_are_known(tmp_path: Path) -> None:
    code = b"import ruamel_yaml, Toolz\nasync def handler(page, payload, helpers, context): ...\n"
    root = folder(tmp_path, manifest(more=COMPLETE), code)
    pinned = "--hash=sha256:" + 64 * "a"
    lock = f"# by pip-compile\nruamel.yaml==0.18 \\\n    {pinned}\ntoolz==1.0 {pinned}\n"
    assert [rule for *_, rule in found(root)] == ["import", "import"]
    (root / "requirements.lock").write_text(lock)
    assert found(root) == []
    (root / "requirements.lock").write_text(f"{lock}other==1\n")
    assert found(root) == [("requirements.lock", 5, "error", "lock")]


def test_deprecated_names_are_warnings(tmp_path: Path) -> None:
    code = b"async def handler(page, payload, helpers, context): ...\n"
    root = folder(tmp_path, manifest(more=COMPLETE), code)
    (finding,) = lint(root, SDK, lambda source: [(1, ("handler", "1.2.0", "use another one"))])
    assert finding == LintFinding(
        "shop_product/__init__.py",
        1,
        "warning",
        "deprecated",
        "`handler` is deprecated since SDK 1.2.0",
        "use another one",
    )


@pytest.mark.parametrize("example", sorted(path.parent.name for path in (ROOT / "examples").glob("*/module.toml")))
def test_the_examples_have_no_findings(example: str) -> None:
    assert lint(ROOT / "examples" / example, pageworker.__all__, announced) == ()
