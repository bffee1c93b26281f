from __future__ import annotations

import http.server
import os
import re
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator import tls
from tasks.common import s3
from tasks.common.data import S3Store, open_source, open_target, read_url
from tasks.common.program import BadInput, TryAgain
from tests.lake import Lake

FILES = {"good/a b.png": b"1", "good/ä+~.png": b"22", "top.txt": b"", ".mlops/manifest.json": b"{}"}
DATA = sorted(key for key in FILES if not key.startswith("."))


@pytest.fixture(params=["folder", "bucket"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where FILES are: the same rules hold for a folder and for a bucket's prefix."""
    if request.param == "folder":
        place = str(tmp_path / "d")
    else:
        request.getfixturevalue("lake")
        place = f"s3://lake/{request.node.name}"
    store = open_target(place)
    for key, content in FILES.items():
        store.write(key, content)
    store.write(".snapshot/v1/good/a b.png", b"1")
    return place


def test_files_are_listed_by_key_without_ours_and_ontaps(url: str):
    entries = open_source(url).entries()
    assert [entry.key for entry in entries] == DATA
    assert [entry.size for entry in entries] == [len(FILES[key]) for key in DATA]
    assert all(entry.modified > 1.6e9 for entry in entries)


def test_files_are_read_back(url: str):
    store = open_source(url)
    assert {key: store.read(key) for key in DATA} == {key: FILES[key] for key in DATA}
    assert read_url(f"{url}/good/ä+~.png") == b"22"


def test_deleting_is_safe_to_repeat(url: str):
    store = open_source(url)
    store.delete("top.txt")
    store.delete("top.txt")
    assert "top.txt" not in [entry.key for entry in store.entries()]


def test_a_missing_file_is_one_sentence(url: str):
    with pytest.raises(BadInput, match="nowhere.png.* does not exist"):
        open_source(url).read("nowhere.png")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("/nowhere/at/all", "The data folder /nowhere/at/all does not exist"),
        ("http://x/y", "neither a path nor an s3://"),
        ("s3:///x", "names no bucket"),
    ],
)
def test_what_cannot_be_opened_is_one_sentence(url: str, sentence: str):
    with pytest.raises(BadInput, match=sentence):
        open_source(url)


def test_a_bucket_that_is_not_there_is_one_sentence(lake: Lake):
    with pytest.raises(BadInput, match=r"Cannot list s3://none: S3 says it does not exist \(NoSuchBucket\)"):
        open_source("s3://none").entries()


def test_wrong_keys_are_one_sentence_without_the_secret(lake: Lake, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
    for attempt in (lambda: open_source("s3://lake").entries(), lambda: open_source("s3://lake").read("x")):
        with pytest.raises(BadInput, match="S3 refuses these keys") as caught:
            attempt()
        assert "wrong-secret" not in str(caught.value)


def test_what_s3_refuses_names_the_server_that_was_asked(lake: Lake, monkeypatch: pytest.MonkeyPatch):
    """Its port may have gone to another program since the keys were made."""
    server = os.environ["AWS_ENDPOINT_URL_S3"]
    with pytest.raises(BadInput, match=f"NoSuchBucket.*The server asked was {server}"):
        open_source("s3://none").entries()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
    with pytest.raises(BadInput, match=f"S3 refuses these keys .*The server asked was {server}"):
        open_source("s3://lake").entries()


def test_no_keys_are_one_sentence(lake: Lake, monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(BadInput, match="no S3 keys; set AWS_ACCESS_KEY_ID"):
        open_source("s3://lake").read("x")


def test_a_server_that_does_not_answer_is_one_sentence(lake: Lake, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(s3, "RETRIES", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with pytest.raises(
        TryAgain,
        match=r"S3 failed to read s3://lake/x: .*no connection to the endpoint\. Run it again .*http://127\.0\.0\.1:9\.$",
    ):
        open_source("s3://lake").read("x")


def test_objects_are_read_and_written_without_boto3(lake: Lake):
    code = "import sys; from tasks.common.data import S3Store; s = S3Store('s3://lake/fast'); s.write('k', b'c'); "
    code += (
        "assert s.read('k') == b'c' and s.entries()[0].key == 'k'; s.delete('k'); assert 'botocore' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_keys_in_a_profile_are_found(lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    keys = {name.lower(): os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    (tmp_path / "keys").write_text("[mine]\n" + "".join(f"{name} = {value}\n" for name, value in keys.items()))
    for name in keys:
        monkeypatch.delenv(name.upper())
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "keys"))
    monkeypatch.setenv("AWS_PROFILE", "mine")
    store = open_target("s3://lake/profile")
    store.write("key", b"content")
    assert store.read("key") == b"content"


def test_ranges_of_an_object_are_read(lake: Lake):
    store = open_target("s3://lake/ranges")
    assert isinstance(store, S3Store)
    store.write("key", b"0123456789")
    assert [store.read_range("key", start, 4) for start in (0, 4)] == [b"0123", b"4567"]
    assert store.read_range("key", 8, 2) == b"89"
    assert store.read_range("key", 8, 0) == b""


@pytest.mark.parametrize("name", ["drafts#1", "what?"])
def test_a_prefix_is_taken_letter_by_letter(lake: Lake, name: str):
    other = re.split("[#?]", name)[0]
    for prefix, content in ((name, b"mine"), (other, b"not mine")):
        lake.client.put_object(Bucket="lake", Key=f"letters/{prefix}/a", Body=content)
    store = open_source(f"s3://lake/letters/{name}")
    assert [entry.key for entry in store.entries()] == ["a"]
    assert store.read("a") == b"mine"


def test_an_access_points_arn_is_refused_by_a_sentence():
    with pytest.raises(BadInput, match="by its ARN; name it by its alias"):
        open_source("s3://arn:aws:s3:eu-west-1:1234:accesspoint/mine/data")


class Odd(http.server.BaseHTTPRequestHandler):
    """A server whose bucket holds what consoles and other clients leave: markers of folders, strange keys."""

    protocol_version = "HTTP/1.1"
    listed: tuple[str, ...] = ()
    present: tuple[str, ...] = ()
    asked: tuple[tuple[str, dict[str, str]], ...] = ()

    def do_GET(self) -> None:
        type(self).asked += ((self.path, dict(self.headers.items())),)
        key = self.path.partition("?")[0].removeprefix("/odd").lstrip("/")
        found = not key or key in self.present
        rows = "".join(
            f"<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;0&quot;</ETag>"
            f"<Size>{0 if key.endswith(('/', 'empty')) else 1}</Size></Contents>"
            for key in self.listed
        )
        space = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
        text = f"<ListBucketResult {space}><Name>odd</Name><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>"
        content = b"" if key else text.encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.send_header("ETag", '"0"')
        self.end_headers()
        self.wfile.write(content)

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Odd]]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Odd)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    Odd.asked = ()
    yield Odd
    server.shutdown()
    server.server_close()


def test_the_marker_of_a_folder_is_no_file(odd: type[Odd]):
    odd.listed, odd.present = ("good/", "good/a.png", "empty"), ("good/a.png", "empty")
    assert [entry.key for entry in open_source("s3://odd").entries()] == ["empty", "good/a.png"]


@pytest.mark.parametrize("key", ["a//b", "../x", "a/./b"])
def test_a_key_that_can_be_no_file_is_named(odd: type[Odd], key: str):
    odd.listed = (key,)
    with pytest.raises(BadInput, match="would not stay inside a folder as a file") as caught:
        open_source("s3://odd").entries()
    assert f'"{key}"' in str(caught.value)


def test_token_and_region_of_the_environment_are_used(odd: type[Odd], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    odd.listed = ("a",)
    open_source("s3://odd").entries()
    headers = {name.lower(): value for name, value in odd.asked[0][1].items()}
    assert headers["x-amz-security-token"] == "token"
    assert "/eu-north-1/s3/aws4_request" in headers["authorization"]


def test_a_server_of_ones_own_authority_is_trusted_when_named(
    odd: type[Odd], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(s3, "RETRIES", 0)
    ca, certificate, key = tls.ensure(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Odd)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"https://127.0.0.1:{server.server_port}")
    odd.listed = ("a",)
    with pytest.raises(TryAgain, match="no connection to the endpoint"):
        open_source("s3://odd").entries()
    monkeypatch.setenv("AWS_CA_BUNDLE", str(ca))
    assert [entry.key for entry in open_source("s3://odd").entries()] == ["a"]
    server.shutdown()
    server.server_close()


def test_authorities_that_cannot_be_read_are_one_sentence(lake: Lake, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nowhere/ca.pem")
    with pytest.raises(BadInput, match="AWS_CA_BUNDLE names /nowhere/ca.pem, which cannot be read"):
        open_source("s3://lake")
