"""Which dynamic loader and which libraries a program needs. Source: elf(5), ld.so(8)."""

import struct
import subprocess
from pathlib import Path

from pageworker_sandbox.launch.run_program import run_program

MAGIC = b"\x7fELF"
PT_INTERP = 3
LIST_SECONDS = 10.0


class NotElf(Exception):
    """The file is not a dynamically linked 64-bit program, or a library of it is missing."""


def loader(program: Path) -> Path:
    """Path of the dynamic loader (PT_INTERP). Raises NotElf, OSError."""
    with program.open("rb") as file:
        header = file.read(64)
        if header[:4] != MAGIC or header[4:5] != b"\x02":
            raise NotElf(f"{program} is not a 64-bit ELF program")
        order = "<" if header[5:6] == b"\x01" else ">"
        (table,) = struct.unpack_from(order + "Q", header, 32)
        size, count = struct.unpack_from(order + "HH", header, 54)
        file.seek(table)
        rows = file.read(size * count)
        for row in range(count):
            kind, _, offset, _, _, length = struct.unpack_from(order + "IIQQQQ", rows, row * size)
            if kind == PT_INTERP:
                file.seek(offset)
                return Path(file.read(length).rstrip(b"\0").decode())
    raise NotElf(f"{program} is linked statically")


def libraries(program: Path) -> list[Path]:
    """Loader and libraries, by the paths under which the loader finds them. Raises NotElf, OSError.

    Runs the loader on the program, so the program must be trusted.
    """
    interpreter = loader(program)
    try:
        listed = run_program([interpreter, "--list", program], LIST_SECONDS, env={})
    except subprocess.TimeoutExpired as error:
        raise NotElf(f"{program}: {error}") from error
    if listed.returncode:
        raise NotElf(f"{program}: {listed.stderr.strip()}")
    missing = [line.split()[0] for line in listed.stdout.splitlines() if line.endswith("not found")]
    if missing:
        raise NotElf(f"{program} lacks the libraries {', '.join(missing)}")
    words = (word for line in listed.stdout.splitlines() for word in line.split())
    return [interpreter, *(Path(word) for word in words if word.startswith("/"))]
