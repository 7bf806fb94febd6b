"""Which scripts the fonts of this host cover. Asks fontconfig, the library by which Chromium finds its fonts.

Source: fontconfig's developer reference, FcFontList, FcCharSetHasChar.
"""

import ctypes
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pageworker_sandbox.launch.root_layout import FONTS

LIBRARY = "libfontconfig.so.1"
SCRIPTS = {
    "Latin": "Aéß",
    "Greek": "Ω",
    "Cyrillic": "Ж",
    "Arabic": "ش",
    "Hebrew": "ש",
    "Hindi": "अक",
    "Bengali": "ক",
    "Tamil": "த",
    "Thai": "ก",
    "Chinese": "说說",
    "Japanese": "あ漢",
    "Korean": "한",
    "emoji": "🚀🤖",
}
"""Characters by script. A script is covered if each of its characters is in a font."""
EMOJI = "emoji"
PACKAGES = (
    "fonts-liberation",
    "fonts-freefont-ttf",
    "fonts-wqy-zenhei",
    "fonts-ipafont-gothic",
    "fonts-tlwg-loma-otf",
    "fonts-noto-color-emoji",
    "fonts-unifont",
)
"""Debian packages that cover all scripts: those that Playwright installs for Chromium on Debian 12."""


@dataclass(frozen=True)
class InstalledFont:
    """A font that runners can use. `characters`: those of SCRIPTS that it has."""

    file: Path
    color: bool
    characters: frozenset[str]


def installed_fonts() -> list[InstalledFont]:
    """The fonts in folders that every sandbox has. Raises OSError if the library is missing."""
    found = FontLibrary().fonts(set("".join(SCRIPTS.values())))
    return [font for font in found if any(font.file.is_relative_to(folder) for folder in FONTS)]


def missing_scripts(fonts: Iterable[InstalledFont]) -> list[str]:
    """The scripts that pages show as boxes. Emoji in black and white count as missing."""
    known = list(fonts)
    everything = frozenset[str]().union(*(font.characters for font in known))
    colored = frozenset[str]().union(*(font.characters for font in known if font.color))
    return [script for script, text in SCRIPTS.items() if not set(text) <= (colored if script == EMOJI else everything)]


class _FontSet(ctypes.Structure):
    _fields_ = (
        ("count", ctypes.c_int),
        ("size", ctypes.c_int),
        ("patterns", ctypes.POINTER(ctypes.c_void_p)),
    )


class FontLibrary:
    """fontconfig. What it allocates stays: this is for one question. Raises OSError if the library is missing."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(LIBRARY)
        for name, result in (
            ("FcInitLoadConfigAndFonts", ctypes.c_void_p),
            ("FcPatternCreate", ctypes.c_void_p),
            ("FcObjectSetCreate", ctypes.c_void_p),
            ("FcFontList", ctypes.POINTER(_FontSet)),
        ):
            getattr(self._library, name).restype = result

    def fonts(self, characters: Iterable[str]) -> list[InstalledFont]:
        """Every font of the host, and which of these characters it has."""
        library, wanted = self._library, list(characters)
        config, pattern = (
            ctypes.c_void_p(getattr(library, name)()) for name in ("FcInitLoadConfigAndFonts", "FcPatternCreate")
        )
        properties = ctypes.c_void_p(library.FcObjectSetCreate())
        for name in (b"file", b"charset", b"color"):
            library.FcObjectSetAdd(properties, name)
        listed = library.FcFontList(config, pattern, properties).contents
        found = []
        for index in range(listed.count):
            font = ctypes.c_void_p(listed.patterns[index])
            file, color, covered = ctypes.c_char_p(), ctypes.c_int(), ctypes.c_void_p()
            library.FcPatternGetString(font, b"file", 0, ctypes.byref(file))
            library.FcPatternGetBool(font, b"color", 0, ctypes.byref(color))
            library.FcPatternGetCharSet(font, b"charset", 0, ctypes.byref(covered))
            if file.value is not None and covered:
                has = frozenset(one for one in wanted if library.FcCharSetHasChar(covered, ctypes.c_uint32(ord(one))))
                found.append(InstalledFont(Path(os.fsdecode(file.value)).resolve(), bool(color), has))
        return found
