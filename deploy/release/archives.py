"""Archives that have the same bytes for the same files. Pure.

setuptools writes a wheel by SOURCE_DATE_EPOCH. Its sdist has the date of the build in the head of gzip and in each file
that it generates, and the user who built it. Source: reproducible-builds.org/docs/archives.
"""

import gzip
import io
import tarfile

EXECUTABLE = 0o100


def normalise_sdist(data: bytes, epoch: int) -> bytes:
    """The same files as a `.tar.gz` in the order of their names, all of root, with the date `epoch`. No folders.

    Raises tarfile.TarError, ValueError for anything but files and folders.
    """
    packed = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(data)) as given, tarfile.open(fileobj=packed, mode="w") as made:
        for member in sorted(given.getmembers(), key=lambda each: each.name):
            if member.isdir():
                continue
            if not member.isfile():
                raise ValueError(f"{member.name}: an sdist has files only, no links")
            plain = tarfile.TarInfo(member.name)
            plain.size, plain.mtime = member.size, epoch
            plain.mode = 0o755 if member.mode & EXECUTABLE else 0o644
            made.addfile(plain, given.extractfile(member))
    return gzip.compress(packed.getvalue(), mtime=0)
