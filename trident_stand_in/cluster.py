"""What the stand-in reads and writes in Kubernetes; objects are plain mappings, None is what is not there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

SNAPSHOTS = "snapshot.storage.k8s.io"
TRIDENT = "trident.netapp.io"
_MANIFESTS = Path(__file__).with_name("crds.yaml")


class Cluster:
    """The cluster that KUBECONFIG, or the pod this runs in, names."""

    def __init__(self) -> None:
        from kubernetes import client, config

        config.load_config()
        self._api = client.ApiClient()
        self.core = client.CoreV1Api(self._api)
        self.storage = client.StorageV1Api(self._api)
        self._extensions = client.ApiextensionsV1Api(self._api)
        self._custom = client.CustomObjectsApi(self._api)

    def plain(self, found: Any) -> Any:
        return self._api.sanitize_for_serialization(found)

    def claim(self, namespace: str, name: str) -> dict[str, Any] | None:
        return self._or_none(self.core.read_namespaced_persistent_volume_claim, name, namespace)

    def claims(self) -> list[dict[str, Any]]:
        return self.plain(self.core.list_persistent_volume_claim_for_all_namespaces())["items"]

    def volume(self, name: str) -> dict[str, Any] | None:
        return self._or_none(self.core.read_persistent_volume, name)

    def storage_class(self, name: str) -> dict[str, Any] | None:
        return self._or_none(self.storage.read_storage_class, name)

    def snapshot(self, namespace: str, name: str) -> dict[str, Any] | None:
        where = (SNAPSHOTS, "v1", namespace, "volumesnapshots", name)
        return self._or_none(self._custom.get_namespaced_custom_object, *where)

    def content(self, name: str) -> dict[str, Any] | None:
        return self._or_none(self._custom.get_cluster_custom_object, SNAPSHOTS, "v1", "volumesnapshotcontents", name)

    def contents(self) -> list[dict[str, Any]]:
        return self._custom.list_cluster_custom_object(SNAPSHOTS, "v1", "volumesnapshotcontents")["items"]

    def snapshot_classes(self) -> list[dict[str, Any]]:
        return self._custom.list_cluster_custom_object(SNAPSHOTS, "v1", "volumesnapshotclasses")["items"]

    def ensure_volume(self, body: Mapping[str, Any]) -> None:
        self._once(self.core.create_persistent_volume, body)

    def ensure_content(self, body: Mapping[str, Any]) -> None:
        self._once(self._custom.create_cluster_custom_object, SNAPSHOTS, "v1", "volumesnapshotcontents", body)

    def delete_volume(self, name: str) -> None:
        self._or_none(self.core.delete_persistent_volume, name)

    def delete_content(self, name: str) -> None:
        where = (SNAPSHOTS, "v1", "volumesnapshotcontents", name)
        self._or_none(self._custom.delete_cluster_custom_object, *where)

    def patch_snapshot(self, snapshot: Mapping[str, Any], body: Mapping[str, Any], status: bool = False) -> None:
        meta = snapshot["metadata"]
        patch = self._custom.patch_namespaced_custom_object
        if status:
            patch = self._custom.patch_namespaced_custom_object_status
        where = (SNAPSHOTS, "v1", meta["namespace"], "volumesnapshots", meta["name"])
        self._or_none(patch, *where, body)

    def patch_content(self, name: str, body: Mapping[str, Any], status: bool = False) -> None:
        patch = self._custom.patch_cluster_custom_object
        if status:
            patch = self._custom.patch_cluster_custom_object_status
        self._or_none(patch, SNAPSHOTS, "v1", "volumesnapshotcontents", name, body)

    def install(self, namespace: str, backend: Mapping[str, Any]) -> None:
        """Make the resource definitions and what tells of the back end, where they are not there yet."""
        import yaml

        for body in yaml.safe_load_all(_MANIFESTS.read_text()):
            self._once(self._extensions.create_custom_resource_definition, body)
        self._once(self.core.create_namespace, {"metadata": {"name": namespace}})
        self._established()
        self._once(self._custom.create_namespaced_custom_object, TRIDENT, "v1", namespace, "tridentbackends", backend)

    def _established(self, tries: int = 100) -> None:
        """Wait until the API server answers for what has just been defined."""
        import time

        from kubernetes.client.exceptions import ApiException

        for left in reversed(range(tries)):
            try:
                self.contents()
                self._custom.list_cluster_custom_object(TRIDENT, "v1", "tridentbackends")
                return
            except ApiException as error:
                if error.status != 404 or not left:
                    raise
            time.sleep(0.1)

    def _or_none(self, function: Any, *arguments: Any) -> Any:
        from kubernetes.client.exceptions import ApiException

        try:
            return self.plain(function(*arguments))
        except ApiException as error:
            if error.status == 404:
                return None
            raise

    def _once(self, function: Any, *arguments: Any) -> None:
        from kubernetes.client.exceptions import ApiException

        try:
            function(*arguments)
        except ApiException as error:
            if error.status != 409:
                raise


def annotation(found: Mapping[str, Any], name: str, default: str = "") -> str:
    return (found["metadata"].get("annotations") or {}).get(name, default)


def is_leaving(found: Mapping[str, Any]) -> bool:
    return bool(found["metadata"].get("deletionTimestamp"))
