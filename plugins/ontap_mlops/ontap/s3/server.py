"""The S3 server of an SVM: there is one at most, and it is reached on the SVM's data interfaces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ontap_mlops.ontap import cluster
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import NotFound
from ontap_mlops.ontap.s3.answers import unless_taken

_SERVICE = "svm.uuid,svm.name,name,enabled,is_http_enabled,is_https_enabled,port,secure_port,default_unix_user"


@dataclass(frozen=True, kw_only=True)
class Service:
    """``port`` is that of HTTP, ``secure_port`` that of HTTPS."""

    svm: str
    svm_uuid: str
    name: str
    enabled: bool
    http: bool
    https: bool
    port: int
    secure_port: int


@repeatable
def ensure_service(
    client: Client,
    *,
    svm: str,
    name: str | None = None,
    http: bool = True,
    https: bool = False,
    default_unix_user: str | None = None,
) -> Service:
    """Return the SVM's S3 server, switched on, with at least these protocols; what is on already stays on.

    :param name: host name clients may use; made from the SVM's if not given. Kept as it is on a server that exists.
    :param default_unix_user: whom S3 users act as on files when no name mapping says otherwise.
    """
    uuid = cluster.svm_uuid(client, svm=svm)
    wanted: dict[str, Any] = {"enabled": True}
    wanted |= {"is_http_enabled": True} if http else {}
    wanted |= {"is_https_enabled": True} if https else {}
    wanted |= {"default_unix_user": default_unix_user} if default_unix_user else {}
    record = _service_record(client, svm)
    if record is None:
        # ONTAP switches HTTPS on by itself, and then asks for a certificate.
        only_http = {"is_https_enabled": False} if http and not https else {}
        body = {"svm": {"uuid": uuid}, "name": name or _server_name(svm), **wanted, **only_http}
        unless_taken(client, "S3Service", body, asked=f"create the S3 server of SVM {svm!r}")
    elif missing := {field: value for field, value in wanted.items() if record.get(field) != value}:
        client.modify("S3Service", {"svm": {"uuid": uuid}}, missing, asked=f"set up the S3 server of SVM {svm!r}")
    return service(client, svm=svm)


def service(client: Client, *, svm: str) -> Service:
    """Return the SVM's S3 server. Raises NotFound when it has none."""
    record = _service_record(client, svm)
    if record is None:
        raise NotFound(f"SVM {svm!r} has no S3 server. Run the DAG provision_ontap, or make one.")
    return Service(
        svm=svm,
        svm_uuid=record["svm"]["uuid"],
        name=record.get("name", ""),
        enabled=bool(record.get("enabled")),
        http=bool(record.get("is_http_enabled")),
        https=bool(record.get("is_https_enabled")),
        port=int(record.get("port") or 80),
        secure_port=int(record.get("secure_port") or 443),
    )


def endpoint_url(client: Client, *, svm: str) -> str:
    """Return the URL of the SVM's S3 server on its first data interface; HTTPS if that is on."""
    found = service(client, svm=svm)
    scheme, port = ("https", found.secure_port) if found.https else ("http", found.port)
    asked = f"list the network interfaces of SVM {svm!r}"
    fields = "name,ip.address,enabled,services"
    interfaces = client.records("IpInterface", asked=asked, fields=fields, **{"svm.name": svm})
    usable = [i for i in interfaces if (i.get("ip") or {}).get("address") and i.get("enabled", True)]
    usable.sort(key=lambda i: "data_s3_server" not in (i.get("services") or ()))
    if not usable:
        raise NotFound(f"SVM {svm!r} has no enabled network interface for S3. Make a data LIF with the S3 service.")
    address = usable[0]["ip"]["address"]
    host = f"[{address}]" if ":" in address else address
    default = {"http": 80, "https": 443}[scheme]
    return f"{scheme}://{host}" + ("" if port == default else f":{port}")


def _server_name(svm: str) -> str:
    """At most 15 of letters, digits, dots and hyphens."""
    return f"s3-{svm.replace('_', '-')}"[:15].rstrip("-")


def _service_record(client: Client, svm: str) -> dict[str, Any] | None:
    asked = f"look up the S3 server of SVM {svm!r}"
    found = client.records("S3Service", asked=asked, fields=_SERVICE, **{"svm.name": svm})
    return found[0] if found else None
