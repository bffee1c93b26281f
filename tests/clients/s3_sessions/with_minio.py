"""MinIO's client for Python."""

import io
import urllib.request
from datetime import timedelta
from urllib.parse import urlsplit

from minio import Minio
from minio.commonconfig import CopySource
from minio.deleteobjects import DeleteObject
from session import ACCESS, BUCKET, LARGE, SECRET, URL, run

client = Minio(
    endpoint=urlsplit(URL).netloc,
    access_key=ACCESS,
    secret_key=SECRET,
    secure=URL.startswith("https"),
    region="us-east-1",
)


def put(key: str, body: bytes, **more: object) -> object:
    return client.put_object(bucket_name=BUCKET, object_name=key, data=io.BytesIO(body), length=len(body), **more)


def read(key: str, **more: object) -> bytes:
    answer = client.get_object(bucket_name=BUCKET, object_name=key, **more)
    try:
        return answer.read()
    finally:
        answer.close()


def upload_small() -> None:
    put("minio/a.txt", b"small", content_type="text/plain")
    found = client.stat_object(bucket_name=BUCKET, object_name="minio/a.txt")
    assert (found.size, found.content_type) == (5, "text/plain"), found


def upload_large() -> None:
    put("minio/large", LARGE, part_size=5 << 20)
    assert client.stat_object(bucket_name=BUCKET, object_name="minio/large").size == len(LARGE)


def download() -> None:
    assert read("minio/a.txt") == b"small" and read("minio/large") == LARGE


def ranges() -> None:
    assert read("minio/large", offset=5_000_000, length=1000) == LARGE[5_000_000:5_001_000]


def listing() -> None:
    put("minio/deep/er", b"x")
    found = [o.object_name for o in client.list_objects(bucket_name=BUCKET, prefix="minio/")]
    assert found == ["minio/a.txt", "minio/large", "minio/deep/"] or sorted(found) == [
        "minio/a.txt",
        "minio/deep/",
        "minio/large",
    ], found


def copy() -> None:
    source = CopySource(bucket_name=BUCKET, object_name="minio/a.txt")
    client.copy_object(bucket_name=BUCKET, object_name="minio/copied", source=source)
    assert read("minio/copied") == b"small"


def presigned_url() -> None:
    url = client.presigned_get_object(bucket_name=BUCKET, object_name="minio/a.txt", expires=timedelta(minutes=1))
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"small"


def delete() -> None:
    names = [o.object_name for o in client.list_objects(bucket_name=BUCKET, prefix="minio/", recursive=True)]
    wrong = client.remove_objects(bucket_name=BUCKET, delete_object_list=[DeleteObject(name) for name in names])
    assert list(wrong) == []
    assert list(client.list_objects(bucket_name=BUCKET, prefix="minio/", recursive=True)) == []


run(upload_small, upload_large, download, ranges, listing, copy, presigned_url, delete)
