"""What is made on a cluster for storage, word for word: a change of a file in golden/ is a change for users.

``UPDATE_GOLDEN=1`` writes the files again.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from ontap_mlops.kubernetes_manifests import mounts, storage
from ontap_mlops.kubernetes_manifests.labels import labels

GOLDEN = Path(__file__).parent / "golden"
WHERE = {"namespace": "ml", "labels": labels(run="r1", dataset_version="v1")}
GIB = 1024**3
IMPORT = {"volume": "tyres_clone", "backend_uuid": "uuid-1"}
MADE = {
    "claim": storage.claim(name="data", size_bytes=GIB, storage_class="ontap-nas", **WHERE),
    "claim_of_the_default_class": storage.claim(name="data", size_bytes=GIB, access_modes=["ReadWriteOnce"], **WHERE),
    "claim_of_a_snapshot": storage.claim(
        name="restored", size_bytes=GIB, source=storage.Source(kind="VolumeSnapshot", name="v1"), **WHERE
    ),
    "claim_of_a_claim": storage.claim(
        name="copy", size_bytes=GIB, source=storage.Source(kind="PersistentVolumeClaim", name="data"), **WHERE
    ),
    "claim_imported": storage.claim(
        name="data", size_bytes=GIB, annotations=storage.import_annotations(**IMPORT), **WHERE
    ),
    "claim_handed_over": storage.claim(
        name="data",
        size_bytes=GIB,
        annotations=storage.import_annotations(**IMPORT, managed=True, keep_name=True),
        **WHERE,
    ),
    "snapshot": storage.snapshot(name="v1", claim="data", snapshot_class="ontap-nas", **WHERE),
    "volume_over_nfs": storage.static_volume(
        name="ontap-mlops-ml-cache",
        claim="cache",
        size_bytes=GIB,
        source=mounts.nfs("10.0.0.5", "/cache", read_only=True),
        access_modes=["ReadOnlyMany"],
        mount_options=["nfsvers=4.1", "nconnect=8"],
        **WHERE,
    ),
}


@pytest.mark.parametrize("name", MADE)
def test_what_is_made_is_what_is_written_down(name: str):
    file = GOLDEN / "storage" / f"{name}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(yaml.safe_dump(MADE[name], sort_keys=True))
    assert yaml.safe_load(file.read_text()) == MADE[name]
