"""The ranges of user ids that own files in a data folder."""

import os
from pathlib import Path

from pageworker_supervisor.host.uid_ranges import IdRange
from pageworker_supervisor.host.uid_record import MAX_RANGES, format_ranges, newest_first, parse, read, write

ONE, TWO, THREE = IdRange(2_100_000_000, 500), IdRange(2_100_000_500, 500), IdRange(2_100_001_000, 40)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    assert read(tmp_path) == ()
    write(tmp_path, (TWO, ONE))
    assert read(tmp_path) == (TWO, ONE)
    assert [path.name for path in tmp_path.iterdir()] == ["user-ids"]


def test_a_link_in_its_place_leads_nowhere(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    (tmp_path / "user-ids").symlink_to(victim)
    victim.write_text("1 2\n")
    assert read(tmp_path) == ()
    write(tmp_path, (ONE,))
    assert victim.read_text() == "1 2\n"
    assert read(tmp_path) == (ONE,)


def test_a_pipe_in_its_place_ends_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "user-ids")
    assert read(tmp_path) == ()


def test_the_newest_range_comes_first_and_each_once() -> None:
    assert newest_first(ONE, ()) == (ONE,)
    assert newest_first(THREE, (TWO, ONE)) == (THREE, TWO, ONE)
    assert newest_first(ONE, (TWO, ONE)) == (ONE, TWO)


def test_lines_that_are_no_range_are_skipped() -> None:
    assert parse(f"1 2\n{'9' * 5000} 1\nx\n3 0\n-4 5\n6 7 8\n\n9 10\n") == (IdRange(1, 2), IdRange(9, 10))


def test_the_number_of_ranges_is_limited() -> None:
    many = [IdRange(number, 1) for number in range(1, 2 * MAX_RANGES)]
    assert len(parse(format_ranges(many))) == len(newest_first(ONE, many)) == MAX_RANGES
