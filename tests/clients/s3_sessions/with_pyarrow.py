"""PyArrow, which brings Amazon's client for C++."""

from urllib.parse import urlsplit

import pyarrow.fs
from session import ACCESS, BUCKET, LARGE, SECRET, URL, run

fs = pyarrow.fs.S3FileSystem(
    access_key=ACCESS,
    secret_key=SECRET,
    endpoint_override=urlsplit(URL).netloc,
    scheme=urlsplit(URL).scheme,
    region="us-east-1",
)
TOP = f"{BUCKET}/arrow"


def write(key: str, body: bytes) -> None:
    with fs.open_output_stream(f"{TOP}/{key}") as file:
        file.write(body)


def read(key: str) -> bytes:
    return fs.open_input_file(f"{TOP}/{key}").read()


def upload_small() -> None:
    fs.create_dir(TOP)
    write("a", b"small")
    assert fs.get_file_info(f"{TOP}/a").size == 5


def upload_large() -> None:
    write("deep/large", LARGE)
    assert fs.get_file_info(f"{TOP}/deep/large").size == len(LARGE)


def download() -> None:
    assert read("a") == b"small" and read("deep/large") == LARGE


def ranges() -> None:
    assert fs.open_input_file(f"{TOP}/deep/large").read_at(10, 5_000_000) == LARGE[5_000_000:5_000_010]


def listing() -> None:
    found = fs.get_file_info(pyarrow.fs.FileSelector(TOP, recursive=True))
    files = sorted(info.path for info in found if info.type == pyarrow.fs.FileType.File)
    assert files == [f"{TOP}/a", f"{TOP}/deep/large"], files


def delete() -> None:
    for key in ("a", "deep/large"):
        fs.delete_file(f"{TOP}/{key}")
    assert fs.get_file_info(f"{TOP}/a").type == pyarrow.fs.FileType.NotFound


def copy() -> None:
    write("from", b"small")
    fs.copy_file(f"{TOP}/from", f"{TOP}/copied")
    assert read("copied") == b"small"


run(upload_small, upload_large, download, ranges, listing, delete, copy)
