"""Operators on FlexCache volumes: make one, fill it ahead of use, mount it, remove it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.base import OntapOperator, bytes_of
from ontap_mlops.operators.recording import _RecordsTransfer
from ontap_mlops.operators.waiting import OntapWaitingOperator
from ontap_mlops.planning.ways import FLEXCACHE

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.ontap.caches import Cache
    from ontap_mlops.ontap.client import Client


class OntapCacheEnsureOperator(OntapOperator):
    """Ensure that a cache of this name exists: a FlexCache volume that shows another volume's files as they are now.

    A cache that is there with the same comment and origin is taken as it is, and grown if it is smaller; any other
    owner of the name fails the task at once. The origin may be on another cluster, whose SVM has to be a peer.

    :param cache: name of the cache, letters, digits and underscores.
    :param origin_volume: name of the volume whose files it shows; not itself a cache.
    :param origin_svm: SVM of that volume. Not given: that of ``source_conn_id``, or the cache's own.
    :param source_conn_id: connection to the origin's ONTAP, of which only the SVM is read.
    :param size_bytes: never shrunk; a tenth of the origin if not given.
    :param junction_path: where the SVM's clients see it; ``/<cache>`` if not given.
    :param comment: marks the cache as ours; ``ontap-mlops <cache>`` if not given.
    :param aggregate: ONTAP chooses if not given.
    :param svm: the connection's own if not given.
    :return: ``uuid``, ``name``, ``svm``, ``size_bytes``, ``used_bytes``, ``junction_path``, ``origin``.
    """

    template_fields: Sequence[str] = (
        *("cache", "origin_volume", "origin_svm", "size_bytes", "junction_path", "comment", "aggregate", "svm"),
    )

    def __init__(
        self,
        *,
        cache: str,
        origin_volume: str,
        origin_svm: str | None = None,
        source_conn_id: str | None = None,
        size_bytes: int | str | None = None,
        junction_path: str | None = None,
        comment: str | None = None,
        aggregate: str | None = None,
        svm: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.cache = cache
        self.origin_volume = origin_volume
        self.origin_svm = origin_svm
        self.source_conn_id = source_conn_id
        self.size_bytes = size_bytes
        self.junction_path = junction_path
        self.comment = comment
        self.aggregate = aggregate
        self.svm = svm

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import caches, marks

        svm = self.hook.svm(self.svm)
        with self.hook.client() as client:
            made = caches.ensure(
                client,
                svm=svm,
                name=self.cache,
                origin_svm=self._origin_svm(svm),
                origin_volume=self.origin_volume,
                comment=self.comment or marks.mark(self.cache),
                size_bytes=bytes_of(self.size_bytes) if self.size_bytes else None,
                junction_path=self.junction_path or f"/{self.cache}",
                aggregate=self.aggregate,
            )
        self.log.info("The %s: %s bytes at %s", made, f"{made.size_bytes:,}", made.junction_path)
        return told(made)

    def _origin_svm(self, own: str) -> str:
        from ontap_mlops.hooks.ontap import OntapHook

        if self.origin_svm or not self.source_conn_id:
            return self.origin_svm or own
        return OntapHook(self.source_conn_id).svm()


class OntapCachePrepopulateOperator(_RecordsTransfer, OntapWaitingOperator):
    """Copy folders of the origin into a cache, so that their first reader finds them there.

    A prepopulate that runs already, of whoever, is waited for; then these folders are asked for, which copies nothing
    twice. ONTAP goes on by itself when the task is killed, and the next try waits for it. How warm the cache is, is not
    told by ONTAP but measured by reading (``tasks.data.warmth``).

    :param cache: name of the cache, which has to be mounted, as its origin has.
    :param paths: folders of the volume, ``/`` for all of it.
    :param exclude: folders to leave out.
    :param recurse: with the folders below them.
    :param svm: the connection's own if not given.
    :return: ``before_bytes`` and ``used_bytes``, what the cache held before and holds now, ``size_bytes``, ``seconds``
        that ONTAP's ``job`` took, ``joined``.
    """

    template_fields: Sequence[str] = ("cache", "paths", "exclude", "svm")
    look = "ontap_mlops.ontap.caches.prepopulated"

    def __init__(
        self,
        *,
        cache: str,
        paths: Sequence[str] | str = ("/",),
        exclude: Sequence[str] | str = (),
        recurse: bool = True,
        svm: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.cache = cache
        self.paths = paths
        self.exclude = exclude
        self.recurse = recurse
        self.svm = svm

    def begin(self, client: Client, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import caches

        svm = self.hook.svm(self.svm)
        caches.require_mounted(caches.get(client, svm=svm, name=self.cache))
        folders = {"paths": listed(self.paths), "exclude": listed(self.exclude), "recurse": self.recurse}
        return {"svm": svm, "name": self.cache, **folders}

    def finish(self, client: Client, payload: Any, context: Context) -> Any:
        from ontap_mlops.ontap import caches

        held, more = payload["used_bytes"], payload["used_bytes"] - payload["before_bytes"]
        self.log.info("Cache %s holds %s bytes, %s more than before", self.cache, f"{held:,}", f"{more:,}")
        cache = caches.get(client, svm=self.hook.svm(self.svm), name=self.cache)
        keep_filling(self, context, cache, payload, f"{cache.origin_svm}:{cache.origin_volume}")
        return payload


class OntapCacheMountOperator(OntapOperator):
    """Mount a cache in its SVM's namespace, where a prepopulate and every reader need it.

    :param cache: name.
    :param junction_path: ``/<cache>`` if not given.
    :param svm: the connection's own if not given.
    :return: as of :class:`OntapCacheEnsureOperator`.
    """

    template_fields: Sequence[str] = ("cache", "junction_path", "svm")

    def __init__(self, *, cache: str, junction_path: str | None = None, svm: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cache = cache
        self.junction_path = junction_path
        self.svm = svm

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import caches

        path = self.junction_path or f"/{self.cache}"
        with self.hook.client() as client:
            return told(caches.mount(client, svm=self.hook.svm(self.svm), name=self.cache, junction_path=path))


class OntapCacheDeleteOperator(OntapOperator):
    """Unmount and remove a cache that carries our mark. One that does not exist is no error; its origin stays as it is.

    :param cache: name.
    :param svm: the connection's own if not given.
    :param comment: if given, only a cache with exactly this comment is removed.
    :return: whether there was one.
    """

    template_fields: Sequence[str] = ("cache", "svm", "comment")

    def __init__(self, *, cache: str, svm: str | None = None, comment: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cache = cache
        self.svm = svm
        self.comment = comment

    def execute(self, context: Context) -> bool:
        from ontap_mlops.ontap import caches

        svm = self.hook.svm(self.svm)
        with self.hook.client() as client:
            removed = caches.delete(client, svm=svm, name=self.cache, comment=self.comment)
        self.log.info("Cache %s of SVM %s %s", self.cache, svm, "removed" if removed else "was gone already")
        return removed


def keep_filling(
    operator: _RecordsTransfer, context: Context, cache: Cache, payload: dict[str, Any], source: str
) -> None:
    """Keep what the filling of a cache took; not where another filled it meanwhile, as nobody knows what that moved."""
    if not payload.get("joined"):
        operator.keep(
            context,
            way=FLEXCACHE,
            source=source,
            target=f"{cache.svm}:{cache.name}",
            bytes_moved=payload["used_bytes"] - payload["before_bytes"],
            seconds=payload.get("seconds"),
            transfer=payload.get("job") or "",
        )


def listed(value: Sequence[str] | str | None) -> list[str]:
    """A list of paths; one text may hold several, a line or comma between them."""
    if isinstance(value, str):
        value = value.replace(",", "\n").splitlines()
    return [path.strip() for path in value or () if path and path.strip()]


def told(cache: Cache) -> dict[str, Any]:
    return {
        "uuid": cache.uuid,
        "name": cache.name,
        "svm": cache.svm,
        "size_bytes": cache.size_bytes,
        "used_bytes": cache.used_bytes,
        "junction_path": cache.junction_path,
        "origin": f"{cache.origin_svm}:{cache.origin_volume}",
    }
