"""What happens in the cluster, and what is done then; what fails is an event there, and tried again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import kopf

from trident_stand_in import claims, snapshots
from trident_stand_in.claims import NotYet, World
from trident_stand_in.cluster import SNAPSHOTS
from trident_stand_in.ontap import OntapRefused

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 5.0
log = logging.getLogger(__name__)


def registry_of(world: World) -> kopf.OperatorRegistry:
    """The handlers. Each looks anew at its object, so an event that is missed or comes twice does no harm."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def _(**known: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_kubeconfig(**known) or kopf.login_with_service_account(**known)

    @kopf.on.event("", "v1", "persistentvolumeclaims", registry=registry)
    async def _(body: kopf.Body, namespace: str | None, name: str, **_: Any) -> None:
        await _until_done(body, "ProvisioningFailed", lambda: claims.settle(world, str(namespace), name))

    @kopf.on.event("storage.k8s.io", "v1", "storageclasses", registry=registry)
    async def _(body: kopf.Body, **_: Any) -> None:
        """A claim may have been there before its class."""
        for claim in await asyncio.to_thread(world.cluster.claims):
            if claim["spec"].get("storageClassName") == body["metadata"]["name"]:
                meta = claim["metadata"]
                asyncio.get_running_loop().run_in_executor(None, _once, world, meta["namespace"], meta["name"])

    @kopf.on.event("", "v1", "persistentvolumes", registry=registry)
    async def _(body: kopf.Body, name: str, **_: Any) -> None:
        await _until_done(body, "VolumeFailedDelete", lambda: claims.release(world, name))

    @kopf.on.event(SNAPSHOTS, "v1", "volumesnapshots", registry=registry)
    async def _(body: kopf.Body, namespace: str | None, name: str, **_: Any) -> None:
        await _until_done(
            body,
            "SnapshotFailed",
            lambda: snapshots.settle(world, str(namespace), name),
            lambda trouble: snapshots.show(world, str(namespace), name, trouble),
        )

    @kopf.on.event(SNAPSHOTS, "v1", "volumesnapshotcontents", registry=registry)
    async def _(body: kopf.Body, name: str, **_: Any) -> None:
        await _until_done(
            body,
            "SnapshotDeleteError",
            lambda: snapshots.drop(world, name),
            lambda trouble: snapshots.show_content(world, name, trouble),
        )

    return registry


async def _until_done(
    body: kopf.Body, reason: str, work: Callable[[], None], show: Callable[[str], None] | None = None
) -> None:
    pause = FIRST_PAUSE_S
    while True:
        try:
            return await asyncio.to_thread(work)
        except (NotYet, OntapRefused) as error:
            kopf.warn(body, reason=reason, message=str(error))
            if show is not None:
                await asyncio.to_thread(show, str(error))
        except Exception as error:  # of the API server: a conflict, or it is away
            log.warning("%s: %s", reason, error)
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_S)


def _once(world: World, namespace: str, name: str) -> None:
    try:
        claims.settle(world, namespace, name)
    except (NotYet, OntapRefused) as error:
        log.warning("claim %s/%s: %s", namespace, name, error)
