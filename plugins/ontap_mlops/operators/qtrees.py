"""Operators on qtrees: a folder of a volume for one person or team, with a quota if wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.base import OntapOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class _OnQtree(OntapOperator):
    """Base of the operators on one qtree: names of its volume and of itself, and the SVM."""

    template_fields: Sequence[str] = ("volume", "qtree", "svm")

    def __init__(self, *, volume: str, qtree: str, svm: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.qtree = qtree
        self.svm = svm


class OntapQtreeEnsureOperator(_OnQtree):
    """Ensure that a volume has a qtree of this name: a folder at its top that quotas can be set on.

    :param volume: name.
    :param qtree: name, without spaces and slashes.
    :param unix_permissions: octal digits as in ``chmod``; those of the volume's top if not given.
    :param export_policy: that of the volume if not given.
    :param svm: the connection's own if not given.
    :return: ``id``, ``name``, ``volume``, ``path`` (None where the volume is not mounted).
    """

    template_fields: Sequence[str] = (*_OnQtree.template_fields, "unix_permissions", "export_policy")

    def __init__(self, *, unix_permissions: str | None = None, export_policy: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.unix_permissions = unix_permissions
        self.export_policy = export_policy

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import qtrees

        with self.hook.client() as client:
            made = qtrees.ensure(
                client,
                svm=self.hook.svm(self.svm),
                volume=self.volume,
                name=self.qtree,
                unix_permissions=self.unix_permissions,
                export_policy=self.export_policy,
            )
        self.log.info("Qtree %s of volume %s at %s", made.name, self.volume, made.path or "no path")
        return {"id": made.id, "name": made.name, "volume": made.volume, "path": made.path}


class OntapQtreeDeleteOperator(_OnQtree):
    """Remove a qtree. One that does not exist is no error; one that holds files fails, unless these may go with it.

    :param volume: name.
    :param qtree: name.
    :param with_files: remove it with all that is in it.
    :param svm: the connection's own if not given.
    :return: whether there was one.
    """

    def __init__(self, *, with_files: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.with_files = with_files

    def execute(self, context: Context) -> bool:
        from ontap_mlops.ontap import qtrees, quotas

        with self.hook.client() as client:
            home = {"svm": self.hook.svm(self.svm), "volume": self.volume}
            found = qtrees.find(client, **home, name=self.qtree)
            if found is not None:
                qtrees.require_removable(client, qtree=found, with_files=self.with_files)
                quotas.delete(client, **home, qtree=self.qtree)  # ONTAP keeps a qtree that a rule names
            removed = qtrees.delete(client, **home, name=self.qtree, with_files=self.with_files)
        self.log.info("Qtree %s of volume %s %s", self.qtree, self.volume, "removed" if removed else "was gone already")
        return removed
