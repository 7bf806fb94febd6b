"""What the pages of the site are made of: cards with fields, style sheets, scripts, pictures. Pure."""

import random
import struct
import zlib

FIELDS = 20
CARDS_WITH_FIELDS = 134
"""How many cards a page needs, because only every seventh card holds a field."""


def fields_of(number: int) -> dict[str, str]:
    """The fields that a visitor of page `number` must read."""
    return {f"f{field}": f"{field}/{number}" for field in range(FIELDS)}


def card(position: int, prose: str) -> str:
    """One card. The page's number replaces `@PAGE@`."""
    # Every seventh card holds a field.
    value = f"{position // 7}/@PAGE@" if position % 7 == 0 and position // 7 < FIELDS else "9.99"
    return (
        f'<div class="card k{position}" id="card-{position}"><h3>Thing {position}</h3><p class="prose">{prose}</p>'
        f'<span class="price">{value}</span><a href="/p/{position}">see</a></div>\n'
    )


def sheet(rules: int) -> bytes:
    """A style sheet of about 40 bytes per rule."""
    lines = (f".k{n}{{padding:{n % 7}px;color:#{(n * 37) % 4096:03x};border-radius:{n % 6}px}}" for n in range(rules))
    return "\n".join(lines).encode()


def script(name: str, functions: int) -> bytes:
    """Functions that are all parsed. Two of them run, one for a while, as in scripts of real pages."""
    lines = [f"function {name}{n}(m){{let t=0;for(let i=0;i<m;i++)t+=i*{n};return t}}" for n in range(functions)]
    run = f"for(let i=0;i<200;i++){name}1(500);document.body.dataset.{name}={name}2(9);"
    return "\n".join([*lines, run]).encode()


def png(side: int, noise: random.Random) -> bytes:
    """A square of noise, which does not compress: about 3 × side² bytes. Source: PNG specification, §5 and §11."""

    rows = b"".join(b"\0" + noise.randbytes(3 * side) for _ in range(side))
    return _png(struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0), b"", rows)


def photo(side: int, noise: random.Random) -> bytes:
    """A square of noise in four colours: 2 bits per pixel, as a photo on the web has them, so about side² / 4 bytes."""
    row_bytes = (side + 3) // 4
    rows = b"".join(b"\0" + noise.randbytes(row_bytes) for _ in range(side))
    palette = _chunk(b"PLTE", noise.randbytes(4 * 3))
    return _png(struct.pack(">IIBBBBB", side, side, 2, 3, 0, 0, 0), palette, rows)


def _png(header: bytes, palette: bytes, rows: bytes) -> bytes:
    data = zlib.compress(rows, 1)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + palette + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
