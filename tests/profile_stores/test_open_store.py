"""The store that the settings name has what they say."""

from pathlib import Path

from pageworker_profiles.snapshots.folder_objects import FolderObjects
from pageworker_supervisor.config.profile_settings import ProfileSettings
from pageworker_supervisor.profile_stores.bucket_objects import BucketObjects
from pageworker_supervisor.profile_stores.open_store import open_objects, open_snapshots


def test_a_url_of_a_folder_is_a_folder_and_all_others_are_buckets(tmp_path: Path) -> None:
    folder = open_objects((tmp_path / "a b").as_uri())
    assert isinstance(folder, FolderObjects)
    assert folder.root == tmp_path / "a b"
    bucket = open_objects("s3://user:geheim@bucket/x")
    assert isinstance(bucket, BucketObjects)
    assert "geheim" not in bucket.label


def test_without_a_store_there_are_no_snapshots() -> None:
    assert open_snapshots(ProfileSettings(), "w1") is None


def test_retention_and_time_limit_are_those_of_the_settings(tmp_path: Path) -> None:
    settings = ProfileSettings(store=tmp_path.as_uri(), key_secret="k", keep_snapshots=7, store_seconds=9.0)
    snapshots = open_snapshots(settings, "w1")
    assert snapshots is not None
    assert (snapshots.options.worker, snapshots.options.keep, snapshots.options.seconds) == ("w1", 7, 9.0)
