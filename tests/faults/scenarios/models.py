import time
from dataclasses import replace
from typing import Any

from ontap_mlops import names
from ontap_mlops.hooks.mlflow import MlflowHook
from ontap_mlops.ontap import dataset_versions, marks, model_versions, snapshot_locks, snapshots, volumes
from ontap_mlops.operators.choose import RunChooseOperator
from ontap_mlops.operators.claims import ModelClaimOperator
from ontap_mlops.operators.context import REGISTER
from ontap_mlops.operators.data_subjects import DataSubjectCollectOperator
from ontap_mlops.operators.evidence import EvidenceLockOperator
from ontap_mlops.operators.model_reports import ModelReportCollectOperator
from ontap_mlops.operators.model_versions import ModelVersionExpireOperator
from ontap_mlops.operators.models import ModelRegisterOperator
from ontap_mlops.operators.versions import DatasetVersionExpireOperator
from ontap_mlops.records import DatasetVersion, ModelVersion, TrainingRecord
from tests.faults.scenarios.versions import DATASET, version
from tests.faults.scenarios.volumes import tyre
from tests.faults.site import DAG_ID, SVM, Scenario, Site
from tests.ontap_mlops.conftest import GIB
from tests.ontap_mlops.operators.run_context import PARAMS

OLD = {**DATASET, "keep": {"versions": 1, "days": 30}}


def model(site: Site) -> str:
    """A model that MLflow has not met yet, with its volume."""
    name = f"m{time.time_ns()}"
    site.made["model"], site.called[name] = name, "MODEL"
    volume = names.model_volume(name)
    volumes.ensure(site.client, svm=SVM, name=volume, size_bytes=GIB, comment=marks.mark("model"))
    return name


def begun() -> str:
    """The id of a run in MLflow."""
    made = MlflowHook().service.part("POST", "runs/create", "begin", "run", json={"experiment_id": "0"})
    return made["info"]["run_id"]


def trained(site: Site) -> None:
    """What a training and the publishing of its model have returned."""
    version(site)
    name = model(site)
    site.made["training"] = TrainingRecord(
        run_key=site.run_key,
        mlflow_run_id=begun(),
        dataset_version=DatasetVersion.from_json(site.made["version"]),
        parameters={"seed": 1},
        metrics={"accuracy": 0.9},
        code_commit="abc",
        dag_id=DAG_ID,
        model=name,
    ).to_json()


def register(site: Site) -> ModelRegisterOperator:
    return ModelRegisterOperator(
        task_id="t",
        model=site.made["model"],
        volume=names.model_volume(site.made["model"]),
        published={"folder": site.run_key, "digest": "sha256:02"},
        training=site.made["training"],
    )


def registered(site: Site) -> dict[str, Any]:
    """All that is held, and how many versions MLflow has of the model."""
    found = [v for v, _ in MlflowHook().versions_with_tags(site.made["model"])]
    return {"held": site.held(), "versions": [(v.version, v.run_key, v.digest) for v in found]}


def three(site: Site) -> None:
    """Versions of a model, of which the first two are old."""
    version(site)
    name, data = model(site), DatasetVersion.from_json(site.made["version"])
    home = volumes.get(site.client, svm=SVM, name=names.model_volume(name))
    for number in range(3):
        key = f"r2026112{number}t063000z0123456{number}"
        comment = model_versions.comment(name, key)
        frozen = snapshots.ensure(site.client, volume_uuid=home.uuid, name=names.snapshot(key), comment=comment)
        made = ModelVersion(
            model=name,
            version=0,
            run_key=key,
            mlflow_run_id=begun(),
            dataset_version=data,
            svm=SVM,
            volume=home.name,
            volume_uuid=home.uuid,
            folder=key,
            digest="sha256:02",
            snapshot=frozen.name,
            snapshot_uuid=frozen.uuid,
            created_at=frozen.created_at,
            code_commit="abc",
        )
        MlflowHook().register(replace(made))


def to_lock(site: Site) -> None:
    """A registered version, and the clock that locks go by."""
    trained(site)
    snapshot_locks.initialize_clocks(site.client)
    site.results[REGISTER] = site.run(register(site))


def locked(site: Site) -> dict[str, Any]:
    version = ModelVersion.from_json(site.results[REGISTER])
    evidence = MlflowHook().evidence(version)
    return {"held": site.held(), "locked": len(evidence.locked) if evidence else 0}


def retired(site: Site) -> dict[str, Any]:
    found = MlflowHook().versions_with_tags(site.made["model"])
    return {"held": site.held(), "tags": sorted((v.version, "retired" in " ".join(tags)) for v, tags in found)}


def old_versions(site: Site) -> None:
    """Two that are older than the rule keeps, and the newest."""
    tyre(site)
    facts = {"source": DATASET["source"], "files": 1, "size": 1, "dataset": "tyre_images", "volume": "tyre"}
    for number in range(3):
        site.here.control("PUT", "/clock", {"offset_s": (number - 100) * 86400})
        digest = f"sha256:{number}" + "0" * 63
        dataset_versions.freeze(site.client, svm=SVM, **facts, digest=digest, run_key=f"r{number}")
    site.here.control("PUT", "/clock", {"offset_s": 0})


def to_choose(site: Site) -> None:
    version(site)
    model(site)
    site.params = dict(PARAMS)


SCENARIOS = [
    Scenario(operator="ModelRegisterOperator", mlflow=True, prepare=trained, make=register, end=registered),
    Scenario(
        operator="EvidenceLockOperator",
        mlflow=True,
        prepare=to_lock,
        make=lambda site: EvidenceLockOperator(task_id="t", days=3650),
        end=locked,
    ),
    Scenario(
        operator="ModelReportCollectOperator",
        mlflow=True,
        prepare=to_lock,
        make=lambda site: ModelReportCollectOperator(task_id="t", model=site.made["model"], version=1),
        end=lambda site: {"held": site.held()},
    ),
    Scenario(
        operator="DataSubjectCollectOperator",
        mlflow=True,
        prepare=to_lock,
        make=lambda site: DataSubjectCollectOperator(task_id="t", datasets="tyre_images"),
        end=lambda site: {"held": site.held()},
    ),
    Scenario(
        operator="ModelVersionExpireOperator",
        mlflow=True,
        prepare=three,
        make=lambda site: ModelVersionExpireOperator(task_id="t", model=site.made["model"], keep_newest=1),
        end=retired,
    ),
    Scenario(
        operator="DatasetVersionExpireOperator",
        mlflow=True,
        prepare=old_versions,
        make=lambda site: DatasetVersionExpireOperator(task_id="t", dataset=OLD),
    ),
    Scenario(
        operator="ModelClaimOperator",
        mlflow=True,
        prepare=model,
        make=lambda site: ModelClaimOperator(task_id="t", model=site.made["model"], hold=True),
    ),
    Scenario(
        operator="RunChooseOperator",
        mlflow=True,
        prepare=to_choose,
        make=lambda site: RunChooseOperator(
            task_id="t", dataset=DATASET, model=site.made["model"], parameters=["seed"]
        ),
    ),
]
