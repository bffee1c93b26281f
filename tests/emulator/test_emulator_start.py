"""Starting: plain HTTP, another release, a first run with nothing given."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time

import httpx
import pytest
from cryptography import x509

from emulator import tls
from emulator.__main__ import arguments


@pytest.fixture
def plain(tmp_path, emulator):
    started = type(emulator)(tmp_path / "ontap", "--http", "--ontap-version", "9.15.1").start()
    yield started
    started.close()


def test_http_and_another_release_on_request(plain):
    assert plain.url.startswith("http://") and plain.ca is None
    with plain.client() as api:
        version = api.get("/api/cluster?fields=version").json()["version"]
    assert (version["generation"], version["major"], version["minor"]) == (9, 15, 1)
    assert version["full"].startswith("NetApp Release 9.15.1")


def test_the_address_file_says_where_everything_is(emulator):
    endpoint = json.loads((emulator.root / "endpoint.json").read_text())
    assert set(endpoint) == {"rest_url", "s3_url", "pid", "ca", "intercluster_ip"}
    assert endpoint["pid"] == emulator.process.pid
    assert httpx.get(endpoint["s3_url"]).status_code in (400, 403, 404)


def test_no_secret_is_in_the_log(emulator, api):
    api.get("/api/cluster")
    assert emulator.password not in emulator.log


def test_small_answers_do_not_wait_for_acknowledgements_on_any_accepted_connection():
    from emulator.__main__ import _listen

    async def option_of_an_accepted_connection() -> int:
        accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def note(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            option = writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            writer.close()
            accepted.set_result(option)

        async with await asyncio.start_server(note, sock=_listen(0)) as server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            option = await accepted
            writer.close()
            return option

    assert asyncio.run(option_of_an_accepted_connection()) != 0


def test_half_a_request_is_given_up_in_the_end(tmp_path):
    """Head and body each have a time, here a short one, after which the connection is closed."""
    program = (
        "import runpy, emulator.s3.protocol as protocol, emulator.server as server;"
        "protocol.HEAD_TIMEOUT_S = server.BODY_TIMEOUT_S = 0.3;"
        "runpy.run_module('emulator', run_name='__main__')"
    )
    root = tmp_path / "ontap"
    arguments = ["--root", str(root), "--port", "0", "--http"]
    with subprocess.Popen([sys.executable, "-c", program, *arguments]) as process:
        try:
            while not (root / "endpoint.json").exists():
                assert process.poll() is None
                time.sleep(0.02)
            url = httpx.URL(json.loads((root / "endpoint.json").read_text())["rest_url"])
            head = b"POST /api/storage/volumes HTTP/1.1\r\nHost: x\r\n"
            for half in (b"", head, head + b"Content-Length: 10\r\n\r\n{"):
                with socket.create_connection((url.host, url.port), 20) as connection:
                    connection.sendall(half)
                    answer = connection.recv(65536)
                    assert answer == b"" or answer.startswith(b"HTTP/1.1 408"), answer
        finally:
            process.terminate()


def test_an_emulator_in_a_container_is_known_by_its_name_also_when_it_had_another_before(tmp_path, emulator):
    started = type(emulator)(tmp_path / "ontap").start()
    before = lif_of(started)
    started.kill()
    named = type(emulator)(tmp_path / "ontap", "--name", "localhost").start()
    try:
        assert before == "127.0.0.1" and lif_of(named) == "localhost"
        assert named.url.startswith("https://localhost:") and named.s3_url.startswith("http://localhost:")
    finally:
        named.close()


def lif_of(emulator) -> str:
    with emulator.client() as api:
        found = api.get("/api/network/ip/interfaces?svm.name=svm1&fields=ip.address").json()["records"]
    return found[0]["ip"]["address"]


def test_the_certificate_is_for_the_name_too_and_is_made_anew_for_another_one(tmp_path):
    _, certificate, _ = tls.ensure(tmp_path)
    plain = certificate.read_bytes()
    assert tls.ensure(tmp_path)[1].read_bytes() == plain
    tls.ensure(tmp_path, "ontap")
    named = certificate.read_bytes()
    assert named != plain
    extension = x509.load_pem_x509_certificate(named).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert set(extension.value.get_values_for_type(x509.DNSName)) == {"localhost", "ontap"}
    tls.ensure(tmp_path, "ontap")
    assert certificate.read_bytes() == named


@pytest.mark.parametrize("name", ["", "a b", "-x", "ONTAP", "x" * 70])
def test_a_name_that_no_host_has_is_refused(name, capsys):
    with pytest.raises(SystemExit):
        arguments(["--root", "r", "--port", "0", f"--name={name}"])
    assert "is no host name" in capsys.readouterr().err
