"""A store whose objects lie in buckets, scripted from what s3fs, gcsfs and adlfs document of ``mkdir`` and of missing buckets."""

from __future__ import annotations

from typing import Any

from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]


def bucket_of(files: BucketFileSystem, path: str = "s3://laek-prod/nexus/a.json") -> Any:
    """A place in a store."""
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.io import attach
    from airflow.sdk.io.store import _STORE_CACHE

    _STORE_CACHE.pop("s3", None)
    attach(protocol="s3", fs=files)
    return ObjectStoragePath(path)


class BucketFileSystem(MemoryFileSystem):  # type: ignore[misc]
    """Makes a bucket when it is asked for parents, as all three do, and takes no object where there is no bucket.

    :ivar denied: whether the user may neither list buckets nor ask whether they exist, as with a key for one folder alone
    """

    protocol = "s3"
    cachable = False

    def __init__(self, *buckets: str, denied: bool = False) -> None:
        super().__init__()
        self.store: dict[str, Any] = {}
        self.pseudo_dirs = [""]
        self.buckets, self.denied = set(buckets), denied

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + path.partition("://")[2].lstrip("/").rstrip("/") if "://" in path else "/" + path.strip("/")

    def mkdir(self, path: str, create_parents: bool = True, **kwargs: Any) -> None:
        bucket, _, key = self._strip_protocol(path).lstrip("/").partition("/")
        if bucket not in self.buckets and key and not create_parents:
            raise FileNotFoundError(bucket)
        self.buckets.add(bucket)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        self.mkdir(path)

    def exists(self, path: str, **kwargs: Any) -> bool:
        bucket, _, key = self._strip_protocol(path).lstrip("/").partition("/")
        return bool(super().exists(path)) if key else not self.denied and bucket in self.buckets

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> Any:
        bucket, _, key = self._strip_protocol(path).lstrip("/").partition("/")
        if self.denied and not key:
            raise PermissionError("Access Denied")
        if bucket not in self.buckets:
            raise FileNotFoundError("The specified bucket does not exist")
        try:
            return super().ls(path, detail=detail)
        except FileNotFoundError:
            if key:
                raise
            return []

    def _open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        if self._strip_protocol(path).lstrip("/").partition("/")[0] not in self.buckets:
            raise FileNotFoundError("The specified bucket does not exist")
        return super()._open(path, mode, **kwargs)
