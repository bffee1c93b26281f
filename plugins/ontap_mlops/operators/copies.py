"""Operators on the volumes of a mirrored pair: shown to clients, hidden, compared before one is overwritten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators import telling
from ontap_mlops.operators.base import OntapOperator, OntapPairOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

REFUSE, DISCARD = "refuse", "discard"


class OntapCopyShowOperator(OntapOperator):
    """Let clients use a dataset's volume at a site: mounted at the path it has at home, with a bucket over it.

    While it is the destination of a mirror it is read-only, through the bucket too. One that may be written gets the
    comment of the dataset's volume, so that the site can become the dataset's home.

    :param dataset: name of the dataset.
    :param volume: name.
    :param svm: the connection's own if not given; it must have its S3 server (see :class:`OntapS3ProvisionOperator`).
    :return: ``svm``, ``volume``, ``junction_path``, ``writable``.
    """

    template_fields: Sequence[str] = ("dataset", "volume", "svm")

    def __init__(self, *, dataset: str, volume: str, svm: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dataset = dataset
        self.volume = volume
        self.svm = svm

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import copies

        with self.hook.client() as client:
            shown = copies.show(client, svm=self.hook.svm(self.svm), volume=self.volume, dataset=self.dataset)
        how = "read-only" if shown.is_read_only else "for reading and writing"
        self.log.info("Volume %s of SVM %s is at %s, %s", shown.name, shown.svm, shown.junction_path, how)
        return {
            "svm": shown.svm,
            "volume": shown.name,
            "junction_path": shown.junction_path,
            "writable": not shown.is_read_only,
        }


class OntapCopyHideOperator(OntapOperator):
    """Take a volume out of the SVM's namespace, so that no client writes to it while its data moves elsewhere.

    :param volume: name.
    :param svm: the connection's own if not given.
    :return: whether clients could reach it.
    """

    template_fields: Sequence[str] = ("volume", "svm")

    def __init__(self, *, volume: str, svm: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.svm = svm

    def execute(self, context: Context) -> bool:
        from ontap_mlops.ontap import copies

        svm = self.hook.svm(self.svm)
        with self.hook.client() as client:
            hidden = copies.hide(client, svm=svm, volume=self.volume)
        self.log.info("Volume %s of SVM %s %s", self.volume, svm, "is unmounted" if hidden else "was not mounted")
        return hidden


class OntapCopyCheckOperator(OntapPairOperator):
    """Fail where a volume has what the other one of its pair has not, before a resync discards that.

    Compares files and snapshots since the newest snapshot that both have. The files are listed through ONTAP: one
    request a folder.

    :param volume: the one that is to be overwritten, by name; at ``ontap_conn_id``.
    :param svm: the connection's own if not given.
    :param source_volume: the other one, at ``source_conn_id``; of the same name if not given.
    :param source_svm: that of ``source_conn_id`` if not given.
    :param only_here: ``refuse``, or ``discard``: what is lost then is named in the log and the run's note.
    :param advice: what to do, for the sentence that refuses.
    :return: ``since`` (when the common snapshot was made), ``added``, ``changed``, ``removed`` (counts of files) and
        ``snapshots`` (names).
    """

    template_fields: Sequence[str] = ("volume", "svm", "source_volume", "source_svm", "only_here")

    def __init__(
        self,
        *,
        volume: str,
        svm: str | None = None,
        source_volume: str | None = None,
        source_svm: str | None = None,
        only_here: str = REFUSE,
        advice: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.svm = svm
        self.source_volume = source_volume
        self.source_svm = source_svm
        self.only_here = only_here
        self.advice = advice

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import divergence

        if self.only_here not in (REFUSE, DISCARD):
            raise ValueError(f"only_here is {self.only_here!r}; give {REFUSE} or {DISCARD}")
        with self.hook.client() as client, self.source_hook.client() as other:
            found = divergence.of(
                client,
                other,
                svm=self.hook.svm(self.svm),
                volume=self.volume,
                other_svm=self.source_hook.svm(self.source_svm),
                other_volume=self.source_volume or None,
            )
        if found and self.only_here == REFUSE:
            raise divergence.OnlyHere(f"{found}. {self.advice}".strip())
        if found:
            said = f"{found}. It is discarded, as whoever started the run has chosen."
            self.log.warning("%s", said)
            telling.add_note(context, said)
        return {"since": found.since, **found.files.counts, "snapshots": list(found.snapshots)}
