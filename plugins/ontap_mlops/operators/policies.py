"""What operators on policies of an SVM share, whatever it is that they rule."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from ontap_mlops.operators.base import OntapOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class _PolicyDelete(OntapOperator):
    """Removes a policy of the kind that a subclass names, by its name, from an SVM."""

    template_fields: Sequence[str] = ("policy", "svm")
    kind: ClassVar[str]
    """As the log calls it."""
    room: ClassVar[str]
    """The module of ``ontap`` whose ``delete`` removes it."""

    def __init__(self, *, policy: str, svm: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.policy = policy
        self.svm = svm

    def execute(self, context: Context) -> bool:
        delete = import_module(f"ontap_mlops.ontap.{self.room}").delete
        svm = self.hook.svm(self.svm)
        with self.hook.client() as client:
            removed = bool(delete(client, svm=svm, name=self.policy))
        said = "removed" if removed else "was gone already"
        self.log.info("%s %s of SVM %s %s", self.kind, self.policy, svm, said)
        return removed
