"""From `shop_product:handler` to functions that can be called."""

import importlib
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pageworker_runner.errors import ModuleBroken
from pageworker_runner.reporting.error_text import describe

Hook = Callable[..., Awaitable[Any]]
HOOKS = ("before_job", "after_job", "login_probe")
"""In the order of the fields below."""


@dataclass(frozen=True)
class ModuleEntrypoint:
    """The functions that a module offers."""

    handler: Hook
    before_job: Hook | None
    after_job: Hook | None
    login_probe: Hook | None = None


def load(package: str, label: str, entrypoint: str) -> ModuleEntrypoint:
    """Import the entrypoint below `package`, which runs the module's top level. Then run its `self_test()`, if any.

    Raises ModuleBroken.
    """
    path, colon, name = entrypoint.partition(":")
    if not colon or not path or not name.isidentifier():
        raise ModuleBroken(f"entrypoint {entrypoint!r} of module.toml must be `package:function`")
    try:
        module = importlib.import_module(f"{package}.{path}")
        # Reading a name is foreign code too, if the module has a `__getattr__`.
        handler, *hooks, test = (getattr(module, what, None) for what in (name, *HOOKS, "self_test"))
    except BaseException as error:
        raise ModuleBroken(f"{path} cannot be imported: {describe(error, label)}") from error
    for what, function in ((name, handler), *zip(HOOKS, hooks, strict=True)):
        if function is not None and not inspect.iscoroutinefunction(function):
            raise ModuleBroken(f"{path}:{what} must be a function that is defined with `async def`")
    if handler is None:
        raise ModuleBroken(f"{path} defines no {name!r}, which is the entrypoint of module.toml")
    _self_test(path, test, label)
    return ModuleEntrypoint(handler, *hooks)


def _self_test(path: str, test: object, label: str) -> None:
    """Call the module's own test. It runs once per runner, before the first attempt, and has no page."""
    if test is None:
        return
    if not callable(test) or inspect.iscoroutinefunction(test):
        raise ModuleBroken(f"{path}:self_test must be a function that is defined with `def`")
    try:
        test()
    except BaseException as error:
        raise ModuleBroken(f"{path}:self_test failed: {describe(error, label)}") from error
