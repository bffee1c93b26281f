"""Run the stand-in against the cluster that KUBECONFIG names, until it is told to stop.

TRIDENT_STAND_IN_PASSWORD=... python -m trident_stand_in --ontap https://127.0.0.1:8443 --ca DIR/tls/ca.pem \\
    --folder DIR/namespace/svm1
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import uuid
from pathlib import Path

import kopf

from trident_stand_in.claims import World
from trident_stand_in.cluster import TRIDENT, Cluster
from trident_stand_in.handlers import registry_of
from trident_stand_in.ontap import Ontap, password


def main() -> None:
    given = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("kopf").setLevel(logging.WARNING)  # it tells of every object that anybody touches
    ontap, cluster = Ontap(given.ontap, given.user, password(), given.svm, given.ca), Cluster()
    backend = {
        "apiVersion": f"{TRIDENT}/v1",
        "kind": "TridentBackend",
        "metadata": {"name": f"tbe-{given.provisioner.replace('.', '-')}"},
        "backendName": given.backend,
        "backendUUID": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{given.provisioner}/{given.backend}")),
        "state": "online",
        "online": True,
    }
    cluster.install(given.namespace, backend)
    world = World(
        ontap=ontap,
        cluster=cluster,
        folder=Path(given.folder).resolve(),
        provisioner=given.provisioner,
        backend_uuid=str(backend["backendUUID"]),
    )
    settings = kopf.OperatorSettings()
    settings.posting.level = logging.WARNING
    asyncio.run(kopf.operator(registry=registry_of(world), settings=settings, clusterwide=True, standalone=True))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m trident_stand_in", description="Claims become volumes of ONTAP.")
    parser.add_argument("--ontap", required=True, metavar="URL", help="management interface")
    parser.add_argument("--ca", default="", metavar="FILE", help="certificate authority of ONTAP; the system's if left")
    parser.add_argument("--user", default="admin", help="its password is in TRIDENT_STAND_IN_PASSWORD")
    parser.add_argument("--svm", default="svm1")
    parser.add_argument("--folder", required=True, help="where the nodes see the SVM's namespace mounted")
    parser.add_argument("--provisioner", default="csi.trident.netapp.io", help="whose classes are served")
    parser.add_argument("--backend", default="ontap-nas", help="name of the back end")
    parser.add_argument("--namespace", default="trident", help="where the back end is written down")
    return parser.parse_args()


if __name__ == "__main__":
    main()
