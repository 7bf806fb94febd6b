"""Every pure source file has a test file of its own: `tests/<package>/test_<file>.py`."""

import pytest

from repository.sources import ROOT, ZONES, is_pure, own_tests, relative, source_files


def test_every_pure_source_file_has_a_test_file() -> None:
    missing = [relative(file) for file in source_files() if is_pure(file) and not own_tests(file)]
    assert missing == [], f"{len(missing)} pure source files without tests/<package>/test_<file>.py"


def test_most_source_files_have_a_test_file() -> None:
    files = source_files()
    tested = sum(bool(own_tests(file)) for file in files)
    assert tested >= 0.7 * len(files), f"{tested} of {len(files)} source files have a test file of their own"


@pytest.mark.parametrize("zone", ZONES)
def test_the_check_reads_the_zones(zone: str) -> None:
    assert any(file.is_relative_to(ROOT / zone) for file in source_files())
