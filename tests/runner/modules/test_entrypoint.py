"""From the entrypoint's text to functions. Whatever is wrong is the module's fault, and names what to change."""

import sys
import textwrap
from collections.abc import Iterator
from types import ModuleType

import pytest

from pageworker_runner.errors import ModuleBroken
from pageworker_runner.modules.entrypoint import load

HOLDER = "holder_of_test_entrypoint"


@pytest.fixture
def module() -> Iterator[ModuleType]:
    """`shop` below a package of the test."""
    parent, shop = ModuleType(HOLDER), ModuleType(f"{HOLDER}.shop")
    parent.__path__ = []
    sys.modules |= {HOLDER: parent, f"{HOLDER}.shop": shop}
    yield shop
    del sys.modules[HOLDER], sys.modules[f"{HOLDER}.shop"]


def define(module: ModuleType, source: str) -> None:
    exec(textwrap.dedent(source), module.__dict__)


def test_a_handler_alone_is_enough(module: ModuleType) -> None:
    define(module, "async def read(*_): ...")
    entrypoint = load(HOLDER, "shop@1", "shop:read")
    assert entrypoint.handler is module.__dict__["read"]
    assert (entrypoint.before_job, entrypoint.after_job) == (None, None)


def test_hooks_are_found_beside_the_handler(module: ModuleType) -> None:
    define(module, "async def read(*_): ...\nasync def before_job(*_): ...\nasync def after_job(*_): ...")
    entrypoint = load(HOLDER, "shop@1", "shop:read")
    assert entrypoint.before_job is module.__dict__["before_job"]
    assert entrypoint.after_job is module.__dict__["after_job"]


@pytest.mark.parametrize("text", ["", "shop", ":read", "shop:", "shop:1", "shop:a.b", "shop:a:b"])
def test_an_entrypoint_that_is_not_package_and_function_is_refused(module: ModuleType, text: str) -> None:
    with pytest.raises(ModuleBroken, match="must be `package:function`"):
        load(HOLDER, "shop@1", text)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("", "shop defines no 'read', which is the entrypoint"),
        ("def read(*_): ...", "shop:read must be a function that is defined with `async def`"),
        ("read = 1", "shop:read must be a function"),
        ("async def read(*_): ...\ndef after_job(*_): ...", "shop:after_job must be a function"),
        ("def __getattr__(name): raise SystemExit", "shop cannot be imported: SystemExit"),
        (
            "async def read(*_): ...\ndef self_test():\n    assert 1 > 2, 'no offers'",
            "shop:self_test failed: AssertionError: no offers",
        ),
        ("async def read(*_): ...\ndef self_test(): raise SystemExit(3)", "shop:self_test failed: SystemExit"),
        (
            "async def read(*_): ...\nasync def self_test(): ...",
            "shop:self_test must be a function that is defined with",
        ),
        ("async def read(*_): ...\nself_test = 1", "shop:self_test must be a function that is defined with `def`"),
    ],
)
def test_what_is_wrong_with_a_module_is_named(module: ModuleType, source: str, reason: str) -> None:
    define(module, source)
    with pytest.raises(ModuleBroken, match=reason):
        load(HOLDER, "shop@1", "shop:read")


def test_a_module_that_does_not_exist_cannot_be_imported(module: ModuleType) -> None:
    with pytest.raises(ModuleBroken, match=r"shop.later cannot be imported: ModuleNotFoundError"):
        load(HOLDER, "shop@1", "shop.later:read")


def test_a_self_test_that_passes_has_run_once(module: ModuleType) -> None:
    define(module, "runs = []\nasync def read(*_): ...\ndef self_test(): runs.append(1)")
    load(HOLDER, "shop@1", "shop:read")
    assert module.__dict__["runs"] == [1]
