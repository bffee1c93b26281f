"""Operators on quotas: how much each qtree of a volume may hold, and how much it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.base import OntapOperator, bytes_of

if TYPE_CHECKING:
    from airflow.sdk import Context


class OntapQuotaEnsureOperator(OntapOperator):
    """Ensure that a qtree may hold so much and no more, and that ONTAP enforces it, over files and objects alike.

    ONTAP enforces a new rule from the next time that quotas are switched on; where they are on already, they are off
    for a moment, in which nothing is refused.

    :param volume: name.
    :param qtree: name; empty means every qtree of the volume that has no quota of its own.
    :param hard_bytes: writes beyond it fail.
    :param soft_bytes: beyond it, ONTAP only tells.
    :param hard_files: files and folders; more cannot be made.
    :param soft_files: beyond it, ONTAP only tells.
    :param svm: the connection's own if not given.
    :return: ``volume``, ``qtree`` and the limits.
    """

    template_fields: Sequence[str] = (
        "volume",
        "qtree",
        "hard_bytes",
        "soft_bytes",
        "hard_files",
        "soft_files",
        "svm",
    )

    def __init__(
        self,
        *,
        volume: str,
        qtree: str = "",
        hard_bytes: int | str | None = None,
        soft_bytes: int | str | None = None,
        hard_files: int | str | None = None,
        soft_files: int | str | None = None,
        svm: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.qtree = qtree
        self.hard_bytes = hard_bytes
        self.soft_bytes = soft_bytes
        self.hard_files = hard_files
        self.soft_files = soft_files
        self.svm = svm

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import quotas

        names = ("hard_bytes", "soft_bytes", "hard_files", "soft_files")
        limits = {name: bytes_of(value) if (value := getattr(self, name)) else None for name in names}
        with self.hook.client() as client:
            svm, wanted = self.hook.svm(self.svm), quotas.Limits(**limits)
            quotas.ensure(client, svm=svm, volume=self.volume, qtree=self.qtree, limits=wanted)
        said = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in limits.items() if value is not None)
        self.log.info("Qtree %s of volume %s: %s", self.qtree or "(every one)", self.volume, said)
        return {"volume": self.volume, "qtree": self.qtree} | limits


class OntapQuotaDeleteOperator(OntapOperator):
    """Remove the quota of a qtree. One that has none is no error; quotas of the volume stay on.

    :param volume: name.
    :param qtree: name; empty means the quota of every qtree that has none of its own.
    :param svm: the connection's own if not given.
    :return: whether there was one.
    """

    template_fields: Sequence[str] = ("volume", "qtree", "svm")

    def __init__(self, *, volume: str, qtree: str = "", svm: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.qtree = qtree
        self.svm = svm

    def execute(self, context: Context) -> bool:
        from ontap_mlops.ontap import quotas

        with self.hook.client() as client:
            removed = quotas.delete(client, svm=self.hook.svm(self.svm), volume=self.volume, qtree=self.qtree)
        gone = "removed" if removed else "was gone already"
        self.log.info("Quota of qtree %s of volume %s %s", self.qtree or "(every one)", self.volume, gone)
        return removed


class OntapQuotaReportOperator(OntapOperator):
    """Say what each qtree with a quota holds, and warn of those that are nearly full.

    :param volume: name.
    :param warn_percent: of the hard limit in bytes.
    :param svm: the connection's own if not given.
    :return: qtree to ``used_bytes``, ``used_files``, ``hard_bytes``, ``percent`` (None without a limit in bytes).
    """

    template_fields: Sequence[str] = ("volume", "warn_percent", "svm")

    def __init__(self, *, volume: str, warn_percent: float | str = 90, svm: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.warn_percent = warn_percent
        self.svm = svm

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import quotas

        with self.hook.client() as client:
            found = quotas.report(client, svm=self.hook.svm(self.svm), volume=self.volume)
        for usage in found:
            if usage.percent is not None and usage.percent >= float(self.warn_percent):
                self.log.warning("Qtree %s of volume %s is %.0f %% full", usage.qtree, self.volume, usage.percent)
        return {
            usage.qtree: {
                "used_bytes": usage.used_bytes,
                "used_files": usage.used_files,
                "hard_bytes": usage.limits.hard_bytes,
                "percent": usage.percent,
            }
            for usage in found
        }
