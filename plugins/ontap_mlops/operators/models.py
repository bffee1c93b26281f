"""The operator that makes a model version of a trained model's files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops import names
from ontap_mlops.operators.base import OntapOperator
from ontap_mlops.operators.context import PUBLISH, RECORD, needed
from ontap_mlops.operators.lineage import LineageMixin
from ontap_mlops.operators.links import MlflowModelLink, MlflowRunLink
from ontap_mlops.operators.scans import require_scan
from ontap_mlops.records import ModelVersion, TrainingRecord

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.ontap.snapshots import Snapshot


class ModelRegisterOperator(LineageMixin, OntapOperator):
    """Make a model version of files that ``tasks.models.publish`` put on the model volume.

    Freeze the volume under the run's key, then register the version in MLflow. A retry finds the snapshot and the
    registered version of its first try, so nothing is made twice. A model is refused whose dataset version nobody has
    scanned for personal data, or where what was found is not allowed.

    :param model: name in the registry.
    :param volume: the model volume.
    :param svm: the connection's own if not given.
    :param published: result of ``tasks.models.publish``; of the task ``promote.publish`` if not given.
    :param training: the TrainingRecord, as JSON; of the task ``record`` if not given.
    :return: the ModelVersion, as JSON.
    """

    template_fields: Sequence[str] = ("model", "published", "training", "volume", "svm")
    operator_extra_links = (MlflowModelLink(), MlflowRunLink())

    def __init__(
        self,
        *,
        model: str,
        volume: str = "models",
        svm: str | None = None,
        published: Any = None,
        training: Any = None,
        mlflow_conn_id: str = "mlflow_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.volume = volume
        self.svm = svm
        self.published = published
        self.training = training
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.hooks.mlflow import MlflowHook

        training = TrainingRecord.from_json(self.training or needed(context, RECORD))
        published: Mapping[str, Any] = self.published or needed(context, PUBLISH)
        scan = published.get("scan") or {}
        require_scan(f"The {self.model} of run {training.run_key}", training.dataset_version, scan)
        frozen = self._freeze(training.run_key)
        version = MlflowHook(self.mlflow_conn_id).register(self._version(training, published, frozen))
        self.log.info(
            "Model %s version %s: %s, snapshot %s", version.model, version.version, version.digest, version.snapshot
        )
        MlflowModelLink.persist(context, self.mlflow_conn_id, version)
        self.tell_lineage(version)
        return version.to_json()

    def _freeze(self, key: str) -> Snapshot:
        from ontap_mlops.ontap import model_versions, snapshots, volumes

        comment = model_versions.comment(self.model, key)
        with self.hook.client() as client:
            volume = volumes.get(client, svm=self.hook.svm(self.svm), name=self.volume)
            return snapshots.ensure(client, volume_uuid=volume.uuid, name=names.snapshot(key), comment=comment)

    def _version(self, training: TrainingRecord, published: Mapping[str, Any], frozen: Snapshot) -> ModelVersion:
        return ModelVersion(
            model=self.model,
            version=0,
            run_key=training.run_key,
            mlflow_run_id=training.mlflow_run_id,
            dataset_version=training.dataset_version,
            svm=self.hook.svm(self.svm),
            volume=self.volume,
            volume_uuid=frozen.volume_uuid,
            folder=published["folder"],
            digest=published["digest"],
            snapshot=frozen.name,
            snapshot_uuid=frozen.uuid,
            created_at=frozen.created_at,
            code_commit=training.code_commit,
            parameters=training.parameters,
            metrics=training.metrics,
            scan=dict(published.get("scan") or {}),
        )
