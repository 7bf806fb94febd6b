"""Imports a bundle below a package whose name carries its version, so that two versions can be loaded side by side.

`shop_product.parse` of version 1.4.2 becomes `pageworker_modules.shop_product__1_4_2__0a1b2c3d.shop_product.parse`.
The bundle's own `import shop_product` means that one too: every module of a bundle has builtins of its own, whose
`__import__` translates the bundle's top-level names. Source: docs.python.org, "The import system", and `__import__`.
"""

import builtins
import gc
import importlib
import re
import sys
import zipfile
from collections.abc import Mapping, Sequence
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.resources.abc import TraversableResources
from types import CodeType, ModuleType
from typing import Any

from pageworker_runner.modules.bundle import LoadedBundle
from pageworker_runner.modules.leftovers import drop_leftovers

ROOT = "pageworker_modules"


def versioned_name(name: str, version: str, sha256: str) -> str:
    """The package that one version is imported below."""
    mangled = "__".join(re.sub(r"[^A-Za-z0-9]+", "_", part) for part in (name, version))
    return f"{ROOT}.{mangled}__{sha256[:8]}"


class BundleImporter(MetaPathFinder):
    """A finder on `sys.meta_path`. It finds modules of the bundles that were added, and no others."""

    def __init__(self) -> None:
        self._bundles: dict[str, LoadedBundle] = {}
        root = ModuleType(ROOT)
        root.__path__ = []
        sys.modules[ROOT] = root
        sys.meta_path.insert(0, self)

    def add(self, package: str, bundle: LoadedBundle) -> None:
        """Make `bundle` importable below `package`."""
        parent = ModuleType(package)
        parent.__path__ = []
        sys.modules[package] = parent
        self._bundles[package] = bundle

    def has(self, package: str) -> bool:
        """Whether this name is taken."""
        return package in self._bundles

    def bundle(self, package: str) -> LoadedBundle | None:
        """What was added below `package`."""
        return self._bundles.get(package)

    def drop(self, package: str) -> None:
        """Unload a bundle, with every module that was imported from it."""
        self._bundles.pop(package, None)
        for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
            del sys.modules[name]
        drop_leftovers(package)
        # A module and its functions refer to each other: without this, its memory stays until a full collection.
        gc.collect()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See MetaPathFinder."""
        if not fullname.startswith(f"{ROOT}."):
            return None
        package, dotted = _split(fullname)
        bundle = self._bundles.get(package)
        found = bundle.find(dotted) if bundle is not None and dotted else None
        if bundle is None or found is None:
            return None
        file, is_package = found
        loader = BundleLoader(package, bundle, file)
        spec = ModuleSpec(fullname, loader, origin=loader.filename, is_package=is_package)
        spec.has_location = True
        return spec


class BundleLoader(InspectLoader):
    """Loads one Python module of a bundle."""

    def __init__(self, package: str, bundle: LoadedBundle, file: str) -> None:
        self._package = package
        self._bundle = bundle
        self._file = file
        self.filename = f"{bundle.label}/{file}"

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code with its bundle's own builtins."""
        module.__dict__["__builtins__"] = _builtins_for(self._package, self._bundle.packages)
        super().exec_module(module)

    def is_package(self, fullname: str) -> bool:
        """See InspectLoader."""
        return self._file.endswith(("/__init__.py", "/"))

    def get_source(self, fullname: str) -> str:
        """See InspectLoader."""
        if self._file.endswith("/"):
            return ""
        return self._bundle.read(self._file).decode()

    def get_code(self, fullname: str) -> CodeType:
        """See InspectLoader. The paths in code objects are the bundle's, so tracebacks contain no path of the host."""
        source = b"" if self._file.endswith("/") else self._bundle.read(self._file)
        code: CodeType = compile(source, self.filename, "exec", dont_inherit=True)
        return code

    def get_resource_reader(self, fullname: str) -> "BundleResources":
        """For `importlib.resources.files(__package__)`."""
        return BundleResources(self._bundle, self._file.rpartition("/")[0])


class BundleResources(TraversableResources):
    """The files beside a package, read from memory."""

    def __init__(self, bundle: LoadedBundle, folder: str) -> None:
        self._path = zipfile.Path(bundle.archive, f"{folder}/" if folder else "")

    def files(self) -> Any:
        """See TraversableResources."""
        return self._path


def _split(fullname: str) -> tuple[str, str]:
    """`pageworker_modules.<version>.a.b` is `a.b` below the package `pageworker_modules.<version>`."""
    parts = fullname.split(".", 2)
    return ".".join(parts[:2]), parts[2] if len(parts) > 2 else ""


def _builtins_for(package: str, top_level_names: frozenset[str]) -> dict[str, Any]:
    plain = builtins.__import__

    def translated(
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        top = name.partition(".")[0]
        if level != 0 or top not in top_level_names:
            return plain(name, globals, locals, fromlist or (), level)
        own = importlib.import_module(f"{package}.{name}")
        if fromlist:
            return plain(f"{package}.{name}", globals, locals, fromlist, 0)
        # `import a.b` binds `a`.
        return own if name == top else sys.modules[f"{package}.{top}"]

    return {**vars(builtins), "__import__": translated}
