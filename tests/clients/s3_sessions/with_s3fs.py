"""s3fs, through which pandas, Dask and PyArrow's users read and write."""

import urllib.request

import s3fs
from session import ACCESS, BUCKET, LARGE, SECRET, URL, run

fs = s3fs.S3FileSystem(
    key=ACCESS,
    secret=SECRET,
    endpoint_url=URL,
    client_kwargs={"region_name": "us-east-1"},
    config_kwargs={"signature_version": "s3v4"},  # for presigned URLs; botocore's own choice is version 2
)
TOP = f"{BUCKET}/s3fs"


def upload_small() -> None:
    fs.pipe_file(f"{TOP}/a", b"small", ContentType="text/plain")
    assert fs.info(f"{TOP}/a")["ContentType"] == "text/plain"


def upload_large() -> None:
    with fs.open(f"{TOP}/large", "wb", block_size=5 << 20) as file:
        file.write(LARGE)
    assert fs.size(f"{TOP}/large") == len(LARGE)


def download() -> None:
    assert fs.cat_file(f"{TOP}/a") == b"small" and fs.cat_file(f"{TOP}/large") == LARGE


def ranges() -> None:
    assert fs.cat_file(f"{TOP}/large", start=100, end=110) == LARGE[100:110]
    with fs.open(f"{TOP}/large", "rb") as file:
        file.seek(9_000_000)
        assert file.read(10) == LARGE[9_000_000:9_000_010]


def listing() -> None:
    fs.pipe_file(f"{TOP}/deep/er", b"x")
    fs.invalidate_cache()
    assert sorted(fs.ls(TOP, detail=False)) == [f"{TOP}/a", f"{TOP}/deep", f"{TOP}/large"]
    assert sorted(fs.find(TOP)) == [f"{TOP}/a", f"{TOP}/deep/er", f"{TOP}/large"]


def conditional_create() -> None:
    fs.pipe_file(f"{TOP}/lock", b"1", mode="create")
    try:
        fs.pipe_file(f"{TOP}/lock", b"2", mode="create")
    except FileExistsError:
        assert fs.cat_file(f"{TOP}/lock") == b"1"
    else:
        raise AssertionError("a second create went through")


def append() -> None:
    with fs.open(f"{TOP}/large", "ab", block_size=5 << 20) as file:
        file.write(b"more")
    assert fs.cat_file(f"{TOP}/large") == LARGE + b"more"


def copy() -> None:
    fs.copy(f"{TOP}/a", f"{TOP}/copied")
    assert fs.cat_file(f"{TOP}/copied") == b"small"


def presigned_url() -> None:
    with urllib.request.urlopen(fs.sign(f"{TOP}/a", expiration=60)) as answer:
        assert answer.read() == b"small"


def delete() -> None:
    fs.rm(TOP, recursive=True)
    fs.invalidate_cache()
    assert fs.find(TOP) == []


run(
    upload_small,
    upload_large,
    download,
    ranges,
    listing,
    conditional_create,
    copy,
    append,
    presigned_url,
    delete,
)
