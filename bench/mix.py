"""A page of sixty requests by the mix of the HTTP Archive: half of them are pictures, fonts and media. Pure.

Source: Web Almanac 2024, chapter Page Weight: the median desktop page has 18 images of 1054 KB, 24 scripts of 613 KB,
78 KB of style sheets, 131 KB of fonts. Images are far from equal: half have less than 20 KB, a tenth more than 108 KB.

Pictures have 2 bits per pixel, as the median JPEG of 0.1 to 0.3 megapixels has (HTTP Archive, 2024). Films and fonts
are noise, which the browser gives up soon, so they cost it less than real ones.
"""

import random

from bench.page_parts import CARDS_WITH_FIELDS, card, photo, script, sheet

NOISE = random.Random(20_24)
PICTURE_SIDES = (142,) * 8 + (277,) * 6 + (450,) * 6 + (700,) * 3 + (1400,)
"""Pixels. A picture has 2 bits per pixel: 5, 19, 51, 122 and 490 KB."""
FONTS = 5
FONT_BYTES = 33_000
FILM_BYTES = 250_000
SCRIPTS = 22
SCRIPT_FUNCTIONS = 400
SHEETS = 7
SHEET_RULES = 205

PICTURES: dict[str, tuple[str, bytes]] = {
    f"/mix-{number}.png": ("image/png", photo(side, NOISE)) for number, side in enumerate(PICTURE_SIDES)
}
BLOCKED = {
    **PICTURES,
    **{f"/mix-{number}.woff2": ("font/woff2", NOISE.randbytes(FONT_BYTES)) for number in range(FONTS)},
    "/mix.webm": ("video/webm", NOISE.randbytes(FILM_BYTES)),
}
"""What `block = ["image", "media", "font"]` leaves out."""
KEPT = {
    **{f"/mix-{number}.js": ("text/javascript", script(f"m{number}_", SCRIPT_FUNCTIONS)) for number in range(SCRIPTS)},
    **{f"/mix-{number}.css": ("text/css", sheet(SHEET_RULES)) for number in range(SHEETS)},
}
FILES: dict[str, tuple[str, bytes]] = {**BLOCKED, **KEPT}


def _fonts() -> str:
    faces = (
        f"@font-face{{font-family:own{n};src:url(/mix-{n}.woff2)}}.own{n}{{font-family:own{n}}}" for n in range(FONTS)
    )
    return f"<style>{''.join(faces)}</style>" + "".join(f"<p class=own{n}>Text {n}</p>" for n in range(FONTS))


PAGE = (
    '<!doctype html><html><head><title>Page @PAGE@</title><link rel="icon" href="data:,">'
    + "".join(f'<link rel="stylesheet" href="{path}">' for path in KEPT if path.endswith(".css"))
    + "</head><body>"
    + "".join(f'<img src="{path}">' for path in PICTURES)
    + '<video src="/mix.webm"></video>'
    + _fonts()
    + "".join(card(position, "Not available in this size.") for position in range(CARDS_WITH_FIELDS))
    + "".join(f'<script src="{path}"></script>' for path in KEPT if path.endswith(".js"))
    + "</body></html>"
)
