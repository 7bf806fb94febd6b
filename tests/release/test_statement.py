"""The provenance of a release names each file, each image and what they are built of."""

from deploy.release.statement import ReleaseSource, release_statement

BASE = "b" * 64
SOURCE = ReleaseSource("1.2.3", "c" * 40, f"localhost/base@sha256:{BASE}", {"requirements/run.txt": "d" * 64})


def test_subjects_are_files_and_images_by_their_digests() -> None:
    made = release_statement(SOURCE, {"p.whl": "1" * 64}, {"pageworker:headless": "sha256:" + "2" * 64})
    assert (made["_type"], made["predicateType"]) == (
        "https://in-toto.io/Statement/v1",
        "https://slsa.dev/provenance/v1",
    )
    assert made["subject"] == [
        {"name": "p.whl", "digest": {"sha256": "1" * 64}},
        {"name": "pageworker:headless", "digest": {"sha256": "2" * 64}},
    ]


def test_dependencies_are_the_commit_the_base_and_the_locked_packages() -> None:
    definition = release_statement(SOURCE, {}, {})["predicate"]["buildDefinition"]
    assert definition["externalParameters"] == {"version": "1.2.3"}
    assert definition["resolvedDependencies"] == [
        {"name": "commit", "digest": {"gitCommit": "c" * 40}},
        {"name": "localhost/base", "digest": {"sha256": BASE}},
        {"name": "requirements/run.txt", "digest": {"sha256": "d" * 64}},
    ]
