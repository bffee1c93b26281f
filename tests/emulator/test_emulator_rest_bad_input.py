"""Bad input is refused with a 4xx that says what was wrong, and never breaks the emulator."""

from __future__ import annotations

import base64
import json
import socket
import ssl
from uuid import uuid4

import pytest

VOLUMES = "/api/storage/volumes"


def error(answer):
    return answer.json()["error"]


def refused(answer, code=None, target=None):
    assert 400 <= answer.status_code < 500, answer.text
    if code:
        assert error(answer)["code"] == code
    if target:
        assert error(answer)["target"] == target


def raw(emulator, data: bytes, timeout_s: float = 10) -> bytes:
    """What comes back for bytes that no client library would send."""
    context = ssl.create_default_context(cafile=emulator.ca)
    with (
        socket.create_connection((emulator.host, emulator.port), timeout_s) as plain,
        context.wrap_socket(plain, server_hostname=emulator.host) as connection,
    ):
        connection.sendall(data)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


def authorization(emulator) -> bytes:
    return b"Authorization: Basic " + base64.b64encode(f"admin:{emulator.password}".encode())


@pytest.mark.parametrize("field", ["svm", "aggregates", "nas", "clone", "space", "_tags", "guarantee", "tiering"])
@pytest.mark.parametrize("text", [">1", "<=x", "1..2", "!", "a|b", ">2026-01-01", '"', "*", "<", "..", "|"])
def test_an_object_or_a_list_may_be_compared(api, make, field, text):
    uuid = make()["uuid"]
    assert api.get(VOLUMES, params={"uuid": uuid, field: text}).status_code == 200


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("svm=svm1", 1),
        ("svm=svm*", 1),
        ("svm=!svm1", 0),
        ("svm=svm2|svm1", 1),
        ("svm=null", 0),
        ("svm=!null", 1),
        ("aggregates=aggr1", 1),
        ("aggregates=aggr2", 0),
        ("aggregates=!aggr2", 1),
        ("snapshot_policy=default", 1),
        ("nas.export_policy=default", 1),
        ("guarantee=volume", 0),
        ("guarantee=!null", 1),
    ],
)
def test_a_query_on_an_object_compares_its_name(api, make, query, found):
    assert api.get(f"{VOLUMES}?uuid={make()['uuid']}&{query}").json()["num_records"] == found


def test_a_query_on_the_volume_of_a_snapshot_compares_its_name(api, make, freeze):
    volume = make()
    freeze(volume["uuid"])
    path = f"{VOLUMES}/{volume['uuid']}/snapshots"
    assert api.get(f"{path}?volume={volume['name']}&svm=svm1").json()["num_records"] == 1
    assert api.get(f"{path}?volume=another").json()["num_records"] == 0


@pytest.mark.parametrize("name", ["aggregates", "svm", "nas", "_tags", "clone", "name desc,aggregates", "tiering desc"])
def test_a_list_may_be_ordered_by_an_object_or_a_list_and_paged(api, make, name):
    uuids = {make()["uuid"] for _ in range(3)}
    path, seen = f"{VOLUMES}?uuid={'|'.join(uuids)}&max_records=1&order_by={name}", set()
    while path:
        answer = api.get(path)
        assert answer.status_code == 200, answer.text
        seen |= {record["uuid"] for record in answer.json()["records"]}
        path = answer.json().get("_links", {}).get("next", {}).get("href")
    assert seen == uuids


@pytest.mark.parametrize("value", ["²", "\uff11", "-1", "1e3", "0x10", "1_0", " 5", "9" * 5000, "", "+5", "NaN"])
@pytest.mark.parametrize("argument", ["max_records", "return_timeout"])
def test_a_number_is_made_of_plain_digits(api, argument, value):
    refused(api.get(VOLUMES, params={argument: value}), "262197", argument)


@pytest.mark.parametrize("size", ["9" * 400, "1e400", 10**30, "²GB", "9" * 18 + "TB", -(10**30), 1e308, "\uff11GB"])
def test_a_size_beyond_64_bits_or_of_other_digits_is_refused(api, size):
    body = {"name": "x", "svm": {"name": "svm1"}, "aggregates": [{"name": "aggr1"}], "size": size}
    refused(api.post(VOLUMES, json=body), "262197", "size")


@pytest.mark.parametrize("text", ["9" * 400, ">" + "9" * 400, "9" * 400 + "..", "1e400", "0.5GB"])
def test_a_size_beyond_64_bits_matches_nothing(api, text):
    assert api.get(VOLUMES, params={"size": text}).json()["num_records"] == 0


@pytest.mark.parametrize(
    "token", ["", "x", "W10=", "bnVsbA==", "WzEsMiwzXQ==", "W3t9XQ==", base64.b64encode(b"[" * 9000)]
)
def test_a_start_key_of_ones_own_making_is_refused_or_harmless(api, token):
    answer = api.get(VOLUMES, params={"start.key": token})
    assert answer.status_code in (200, 400), answer.text


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b'{"a":' * 900 + b"1" + b"}" * 900,
        b"[" * 100000,
        b'{"name": ' + b"[" * 300 + b"]" * 300 + b"}",
        b'{"' + b"a." * 50000 + b'a": 1}',
        b'{"comment": NaN}',
        b'{"comment": Infinity}',
        b'{"size": 1e999}',
        b'{"size": ' + b"9" * 5000 + b"}",
        b'{"name": "\\ud800"}',
        b'{"\\ud800": 1}',
        b'{"comment": "\\u0000"}',
        b"\xff\xfe\xfd",
        b'"text"',
        b"[1]",
        b"5",
        b"true",
        b'{"name": "x"',
    ],
    ids=lambda body: body[:20].decode("latin-1"),
)
def test_a_body_that_is_no_sound_json_object_is_refused(api, make, body):
    json_type = {"Content-Type": "application/json"}
    for method, path in (("POST", VOLUMES), ("PATCH", f"{VOLUMES}/{make()['uuid']}"), ("PATCH", f"{VOLUMES}?name=x")):
        refused(api.request(method, path, content=body, headers=json_type))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["name.x{}", "nas.path.x{}", "x{}", "nas.x{}"])
def test_a_body_of_very_many_names_is_refused_in_time(api, name):
    refused(api.post(VOLUMES, json={name.format(number): 1 for number in range(100_000)}))
    assert api.get("/api/cluster").status_code == 200


def test_a_surrogate_in_what_is_refused_is_answered_in_json(api):
    for name in ("%ED%A0%80", "%FF", "%00"):
        answer = api.get(f"{VOLUMES}?{name}=1")
        refused(answer, "262179")
        assert answer.json()


def test_a_long_value_is_not_echoed_whole(api):
    answer = api.post(VOLUMES, json={"name": "x", "size": "x" * 100_000})
    refused(answer, "262197", "size")
    assert len(answer.content) < 1000


@pytest.mark.parametrize(
    ("body", "target"),
    [
        ({"svm": [{"name": "svm1"}]}, "svm"),
        ({"svm": 5}, "svm"),
        ({"nas": "x"}, "nas"),
        ({"nas": {"export_policy": []}}, "nas.export_policy"),
        ({"aggregates": [None]}, "aggregates"),
        ({"aggregates": [5]}, "aggregates"),
        ({"aggregates": [[{"name": "aggr1"}]]}, "aggregates"),
        ({"aggregates": 5}, "aggregates"),
        ({"name": ["x"]}, "name"),
        ({"name": {"x": 1}}, "name"),
        ({"size": []}, "size"),
        ({"_tags": [1]}, "_tags"),
        ({"_tags": {"a": "b"}}, "_tags"),
    ],
    ids=str,
)
def test_a_value_of_the_wrong_shape_is_refused_by_name(api, body, target):
    refused(api.post(VOLUMES, json={"name": "x"} | body), "262197", target)


def test_one_object_stands_for_a_list_and_a_name_for_an_object(api):
    for aggregates in ({"name": "aggr1"}, ["aggr1"], "aggr1"):
        body = {"name": f"v_{uuid4().hex[:8]}", "svm": "svm1", "aggregates": aggregates}
        answer = api.post(f"{VOLUMES}?return_timeout=60", json=body)
        assert answer.status_code == 201, answer.text


def test_objects_that_are_null_are_as_good_as_not_sent(api):
    body = {"name": f"v_{uuid4().hex[:8]}", "svm": {"name": "svm1"}, "aggregates": [{"name": "aggr1"}]}
    nothing = dict.fromkeys(("nas", "qos", "clone", "space", "comment", "size", "guarantee", "_tags"))
    answer = api.post(f"{VOLUMES}?return_timeout=60", json=body | nothing)
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("value", [b"\xff", b"Basic \xff", b"Basic /w==", b"Basic", b"", b"Basic Og==", b"Bearer x"])
def test_any_authorization_that_is_none_is_401(emulator, value):
    head = b"GET /api/cluster HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: " + value
    answer = raw(emulator, head + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401"), answer
    assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["error"]["code"] == "6691623"


def test_a_websocket_upgrade_is_answered_as_a_plain_request(emulator):
    upgrade = (
        b"Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n"
    )
    for head, status in ((b"", b"401"), (authorization(emulator) + b"\r\n", b"200")):
        answer = raw(emulator, b"GET /api/cluster HTTP/1.1\r\nHost: x\r\n" + upgrade + head + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 " + status), answer


@pytest.mark.parametrize("host", [b"[", b"]:x", b"a b", b"x:99999999", b"\xff", b"http://[", b""])
@pytest.mark.parametrize("path", [b"/api/cluster", b"/", b"/emulator/clock"])
def test_a_host_that_is_none_changes_nothing(emulator, host, path):
    head = b"GET " + path + b" HTTP/1.1\r\nConnection: close\r\nHost: " + host + b"\r\n"
    answer = raw(emulator, head + authorization(emulator) + b"\r\n\r\n")
    assert answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 400")), answer


@pytest.mark.parametrize(
    "path", [b"/api/storage/volumes/%2e%2e", b"/api/%00", b"/api/cluster%3Fx", b"/api/x%23y", b"/%ff"]
)
def test_a_path_of_odd_letters_is_not_found(emulator, path):
    head = b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    answer = raw(emulator, head + authorization(emulator) + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 404"), answer


def test_an_escaped_question_mark_leads_past_no_role(emulator):
    """The role is checked for the whole path, not for what stands before an escaped ``?``."""
    privileges = [
        {"path": "/api/storage/volumes", "access": "readonly"},
        {"path": "/api/storage/qos", "access": "none"},
    ]
    emulator.control("PUT", "/roles", {"name": "narrow", "privileges": privileges})
    emulator.control("PUT", "/users", {"name": "narrow", "password": "narrow-pass", "role": "narrow"})
    with emulator.client("narrow", "narrow-pass") as client:
        for path in ("/api/storage/qos%3F/policies", "/emulator%3F/clock", "/api/storage/qos/policies%23"):
            assert client.get(path).status_code == 403, path


def test_a_body_over_the_limit_is_413_and_the_next_call_is_answered(api):
    answer = api.post(VOLUMES, content=b'{"name": "' + b"x" * (9 << 20) + b'"}')
    assert answer.status_code == 413 and "longer than" in error(answer)["message"]
    assert api.get("/api/cluster").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/faults", {"method": "*", "path": "/x", "kind": "error", "times": "many"}),
        ("POST", "/faults", {"method": "*", "path": "/x", "kind": "error", "status": 20}),
        ("POST", "/faults", {"method": "*", "path": 5, "kind": "error"}),
        ("POST", "/faults", {"method": "*", "path": "(", "kind": "error"}),
        ("POST", "/faults", {"method": "*", "path": "/x", "kind": "slow", "delay_s": "long"}),
        ("POST", "/faults", {"method": "*", "path": "/x", "kind": "slow", "delay_s": -1}),
        ("POST", "/faults", [1]),
        ("PUT", "/clock", {"offset_s": 1e300}),
        ("PUT", "/clock", {"offset_s": "later"}),
        ("PUT", "/clock", {"now": "9999-12-31T23:59:59Z"}),
        ("PUT", "/clock", {"now": "0001-01-01"}),
        ("PUT", "/clock", {"now": 5}),
        ("PUT", "/clock", ["now"]),
        ("PUT", "/clock", "now"),
        ("PUT", "/jobs", {"mode": "seconds", "value": "x"}),
        ("PUT", "/jobs", {"mode": "seconds", "value": 1e12}),
        ("PUT", "/jobs", {"mode": ["reads"]}),
        ("PUT", "/jobs", {"speed": 1}),
        ("PUT", "/limits", {"snapshots_per_volume": -1}),
        ("PUT", "/limits", {"aggregate_bytes": 0}),
        ("PUT", "/limits", {"aggregate_bytes": 10**30}),
        ("PUT", "/users", {"name": 5, "password": "x", "role": "admin"}),
        ("PUT", "/users", {"name": "x", "password": None, "role": "admin"}),
        ("PUT", "/users", {"name": "x", "password": "x", "role": ["admin"]}),
        ("PUT", "/users", {}),
        ("PUT", "/roles", {"name": 5, "privileges": []}),
        ("PUT", "/roles", {"name": "x", "privileges": 5}),
        ("PUT", "/roles", {"name": "x", "privileges": [{"path": None, "access": "all"}]}),
        ("PUT", "/roles", {"name": "x", "privileges": ["x"]}),
        ("PUT", "/svms", {"name": 5}),
        ("PUT", "/svms", {}),
        ("PUT", "/snapshots/none/owners", {"owners": 5}),
        ("DELETE", "/clock", None),
        ("GET", "/no-such", None),
    ],
    ids=str,
)
def test_steering_with_bad_values_is_refused_and_changes_nothing(api, emulator, method, path, body):
    refused(api.request(method, f"/emulator{path}", json=body))
    assert api.get("/api/cluster").status_code == 200
    assert emulator.control("GET", "/faults") == {"faults": []}


def test_the_front_page_takes_no_other_method(emulator):
    with emulator.client() as api:
        assert api.get("/").status_code == 200
        assert api.head("/").content == b""
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            refused(api.request(method, "/"))


def test_a_job_keeps_its_link_in_plain_json(api, make):
    path, plain = f"{VOLUMES}/{make()['uuid']}", {"Accept": "application/json"}
    one = api.patch(path, json={"comment": "x"}, headers=plain).json()
    assert one["job"]["_links"]["self"]["href"] == f"/api/cluster/jobs/{one['job']['uuid']}"
    many = api.patch(f"{VOLUMES}?uuid={path.rsplit('/', 1)[1]}", json={"comment": "y"}, headers=plain).json()
    assert many["jobs"][0]["_links"]["self"]["href"].endswith(many["jobs"][0]["uuid"])
    gone = api.delete(path, headers=plain).json()
    assert "_links" in gone["job"]
    assert "_links" not in api.get(f"/api/cluster/jobs/{gone['job']['uuid']}", headers=plain).json()
