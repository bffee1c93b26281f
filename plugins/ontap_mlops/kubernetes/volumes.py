"""Volumes of ONTAP that were made outside the cluster, such as FlexClones and FlexCaches, as claims of a namespace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ontap_mlops.kubernetes import claims
from ontap_mlops.kubernetes.api import Cluster, Manifest
from ontap_mlops.kubernetes.errors import Conflict, NameTaken, NotFound, sentence
from ontap_mlops.kubernetes_manifests import storage
from ontap_mlops.kubernetes_manifests.labels import value_of

BACKEND = f"{storage.TRIDENT}/TridentBackend"


def import_volume(
    cluster: Cluster,
    *,
    name: str,
    namespace: str,
    volume: str,
    backend: str,
    storage_class: str,
    size_bytes: int,
    labels: Mapping[str, str],
    managed: bool = False,
    keep_name: bool = False,
    access_modes: Sequence[str] = (storage.READ_WRITE_MANY,),
) -> Manifest:
    """Return a claim that Trident serves with an ONTAP volume that is there; ``claims.look`` tells when it is bound.

    Unless ``managed``, the volume stays whose it is: deleting the claim leaves it.

    :param backend: name or UUID of Trident's back end that reaches the volume's SVM.
    """
    uuid = backend_uuid(cluster, backend, namespace)
    notes = storage.import_annotations(volume=volume, backend_uuid=uuid, managed=managed, keep_name=keep_name)
    return claims.ensure(
        cluster,
        name=name,
        namespace=namespace,
        size_bytes=size_bytes,
        labels=labels,
        storage_class=storage_class,
        access_modes=access_modes,
        annotations=notes,
    )


def backend_uuid(cluster: Cluster, backend: str, namespace: str) -> str:
    """Return the UUID of a back end of Trident's, by its name or UUID. Raises NotFound, naming those there are."""
    path = cluster.resource(BACKEND).path(None)
    found = cluster.call("GET", path, asked="list the back ends of Trident").get("items") or []
    for each in found:
        if backend in (each.get("backendName"), each.get("backendUUID")):
            return str(each["backendUUID"])
    names = ", ".join(sorted(str(each.get("backendName")) for each in found)) or "none"
    asked = f"import a volume into namespace {namespace}"
    raise sentence(NotFound, cluster.host, asked, f"Trident has no back end {backend!r}; it has: {names}")


def ensure_static(
    cluster: Cluster,
    *,
    name: str,
    namespace: str,
    source: Mapping[str, Mapping[str, object]],
    size_bytes: int,
    labels: Mapping[str, str],
    access_modes: Sequence[str] = (storage.READ_WRITE_MANY,),
    mount_options: Sequence[str] = (),
) -> Manifest:
    """Return a claim on what ``source`` says (``mounts.nfs`` or ``mounts.host_path``), without Trident.

    Claim and persistent volume go by ``claims.delete``; the data stays.
    """
    volume = volume_name(namespace, name)
    made = cluster.ensure(
        storage.static_volume(
            name=volume,
            namespace=namespace,
            claim=name,
            size_bytes=size_bytes,
            labels=labels,
            source=source,
            access_modes=access_modes,
            mount_options=mount_options,
        )
    )
    _require_same(cluster, made, source)
    return cluster.ensure(
        storage.claim(
            name=name,
            namespace=namespace,
            size_bytes=size_bytes,
            labels=labels,
            storage_class="",
            access_modes=access_modes,
            volume_name=volume,
        )
    )


def _require_same(cluster: Cluster, made: Manifest, source: Mapping[str, Mapping[str, object]]) -> None:
    """Raises NameTaken where the volume is of something else, and Conflict where a former claim has used it up."""
    volume = made["metadata"]["name"]
    for key, wanted in source.items():
        theirs, asked = made["spec"].get(key) or {}, f"make volume {volume} of {key} {dict(wanted)}"
        if any(value and theirs.get(part) != value for part, value in wanted.items()):
            raise sentence(NameTaken, cluster.host, asked, f"one of that name is there, of {theirs or 'another kind'}")
        if (made.get("status") or {}).get("phase") == "Released":
            cluster.delete(claims.VOLUME, volume, uid=made["metadata"]["uid"])
            raise sentence(Conflict, cluster.host, asked, "one of a claim that is gone was there, and is removed now")


def volume_name(namespace: str, claim: str) -> str:
    """Name of the persistent volume that is made for one claim; such names are the whole cluster's."""
    return value_of(f"ontap-mlops-{namespace}-{claim}").lower()
