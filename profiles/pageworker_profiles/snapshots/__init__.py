"""Profiles in an object store: each is a series of encrypted snapshots, named by a small head object.

In the store, below its prefix:
    store-id                           random name of the store, written once
    <tenant>/<profile>/head.json       ProfileHead: fence, holder, snapshots; changed by compare-and-swap only
    <tenant>/<profile>/<id>.snapshot   one container: tar, zlib, secretstream
    <tenant>/<profile>/<id>.checkpoint cookies and storage of an open profile: zlib, secretstream

On a worker's disk, beside the files that every profile has:
    <tenant>/<profile>/local.json      LocalCopy: what `data/` is, and under which fence
    <tenant>/<profile>/transfer/       a container on its way, and a folder that is being unpacked
"""
