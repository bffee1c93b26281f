"""obstore, the client of Rust's object_store, on which table formats lock."""

import urllib.request
from datetime import timedelta

import obstore
from obstore.exceptions import AlreadyExistsError, NotFoundError, PreconditionError
from obstore.store import S3Store
from session import ACCESS, BUCKET, LARGE, SECRET, URL, run

store = S3Store(
    bucket=BUCKET,
    endpoint=URL,
    access_key_id=ACCESS,
    secret_access_key=SECRET,
    region="us-east-1",
    copy_if_not_exists="multipart",
    client_options={"allow_http": True},
    retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=20)},
)


def read(key: str) -> bytes:
    return bytes(obstore.get(store, key).bytes())


def upload_small() -> None:
    obstore.put(store, "obstore/a", b"small", attributes={"Content-Type": "text/plain", "Cache-Control": "no-store"})
    found = obstore.get(store, "obstore/a").attributes
    assert (found["Content-Type"], found["Cache-Control"]) == ("text/plain", "no-store"), found


def upload_large() -> None:
    obstore.put(store, "obstore/large", LARGE, chunk_size=5 << 20, use_multipart=True)
    assert obstore.head(store, "obstore/large")["size"] == len(LARGE)


def download() -> None:
    assert read("obstore/a") == b"small" and read("obstore/large") == LARGE


def ranges() -> None:
    assert bytes(obstore.get_range(store, "obstore/large", start=10, end=20)) == LARGE[10:20]
    several = obstore.get_ranges(store, "obstore/large", starts=[0, 7_000_000], ends=[5, 7_000_005])
    assert [bytes(part) for part in several] == [LARGE[:5], LARGE[7_000_000:7_000_005]]


def listing() -> None:
    obstore.put(store, "obstore/deep/er", b"x")
    found = obstore.list_with_delimiter(store, "obstore/")
    assert sorted(o["path"] for o in found["objects"]) == ["obstore/a", "obstore/large"], found
    assert list(found["common_prefixes"]) == ["obstore/deep"], found


def conditional_create() -> None:
    obstore.put(store, "obstore/lock", b"1", mode="create")
    try:
        obstore.put(store, "obstore/lock", b"2", mode="create")
    except AlreadyExistsError:
        assert read("obstore/lock") == b"1"
    else:
        raise AssertionError("a second create went through")


def conditional_update() -> None:
    seen = {"e_tag": obstore.put(store, "obstore/state", b"1")["e_tag"]}
    obstore.put(store, "obstore/state", b"2", mode=seen)
    try:
        obstore.put(store, "obstore/state", b"3", mode=seen)
    except PreconditionError:
        assert read("obstore/state") == b"2"
    else:
        raise AssertionError("an update of an old version went through")


def copy() -> None:
    obstore.copy(store, "obstore/a", "obstore/copied")
    assert read("obstore/copied") == b"small"


def copy_unless_there() -> None:
    try:
        obstore.copy(store, "obstore/a", "obstore/large", overwrite=False)
    except AlreadyExistsError:
        assert obstore.head(store, "obstore/large")["size"] == len(LARGE)
    else:
        raise AssertionError("a copy replaced what was there")


def presigned_url() -> None:
    url = obstore.sign(store, "GET", "obstore/a", timedelta(minutes=1))
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"small"


def delete() -> None:
    names = [o["path"] for page in obstore.list(store, "obstore/") for o in page]
    obstore.delete(store, names)
    assert [o for page in obstore.list(store, "obstore/") for o in page] == []
    try:
        obstore.head(store, "obstore/a")
    except (NotFoundError, FileNotFoundError):
        return
    raise AssertionError("a deleted object is still there")


run(
    upload_small,
    upload_large,
    download,
    ranges,
    listing,
    conditional_create,
    conditional_update,
    copy,
    copy_unless_there,
    presigned_url,
    delete,
)
