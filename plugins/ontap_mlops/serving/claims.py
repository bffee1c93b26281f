"""Who may change what serves a model: one run at a time, by a lease on the model's volume (see ``ontap.leases``).

A claim is given up by the run that holds it. It has no end of its own: what a run that was killed has begun is known to
nobody but a person who looks, so only a person gives up the claim of another run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ontap_mlops import names
from ontap_mlops.hooks.ontap import OntapHook
from ontap_mlops.ontap import leases, volumes
from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.leases import Lease

HOW_TO_GIVE_UP = (
    "If that run does no more, give up its claim: trigger the DAG roll_back with What to do: give up a claim"
)


class ModelClaims:
    """The claim on one model, as seen by one connection.

    :param ontap_conn_id: ``ontap_default`` if not given.
    :param svm: the connection's own if not given.
    :param volume: the one that holds the lease; the model's own if not given.
    """

    def __init__(self, ontap_conn_id: str | None, svm: str | None, volume: str | None, model: str) -> None:
        self.hook = OntapHook(ontap_conn_id or OntapHook.default_conn_name)
        self.svm = self.hook.svm(svm or None)
        self.volume = volume or names.model_volume(model)
        self.model = model

    def take(self, owner: str) -> Lease:
        """The claim as it is now: the owner's, or that of another run, which is left alone."""
        with self._place() as (client, where):
            return leases.take(client, **where, owner=owner)

    def read(self) -> Lease | None:
        with self._place() as (client, where):
            return leases.read(client, **where)

    def give_up(self, owner: str) -> bool:
        """False when ``owner`` does not hold it; whoever does keeps it."""
        with self._place() as (client, where):
            return leases.release(client, **where, owner=owner)

    @contextmanager
    def _place(self) -> Iterator[tuple[Client, dict[str, str]]]:
        with self.hook.client() as client:
            volume = volumes.get(client, svm=self.svm, name=self.volume)
            yield client, {"volume_uuid": volume.uuid, "name": names.lease(self.model)}


def held_by(model: str, lease: Lease) -> str:
    """In words, without a full stop."""
    return f"Run {lease.owner} has had the claim on model {model} since {lease.since or 'an unknown time'}"


def look(
    ontap_conn_id: str, svm: str | None, volume: str | None, model: str, owner: str, cursor: Any = None
) -> Mapping[str, Any]:
    """A look of the polling trigger: done when the claim is free. It is taken by the task, not here.

    Were it taken here and the waiting task killed, nobody would give it up.
    """
    lease = ModelClaims(ontap_conn_id, svm, volume, model).read()
    if lease is None or lease.owner == owner:
        return {"done": True}
    lines = [] if lease.owner == cursor else [f"{held_by(model, lease)}; waiting for it"]
    return {"done": False, "lines": lines, "cursor": lease.owner}
