"""Where a model version comes from, in words for MLflow's page of it."""

from __future__ import annotations

from ontap_mlops.records import ModelVersion


def lineage(version: ModelVersion) -> str:
    """The whole chain of a model version's origin, for people, as Markdown."""
    data = version.dataset_version
    lines = {
        "Model": f"{version.model} version {version.version}, files in `{version.folder}` of volume "
        f"`{version.svm}:{version.volume}`, snapshot `{version.snapshot}` ({version.snapshot_uuid}), {version.digest}",
        "Training": f"run `{version.run_key}`, MLflow run `{version.mlflow_run_id}`, {version.created_at}",
        "Data": f"{data.dataset} version `{data.id}` of {data.created_at}: {data.files} files, {data.bytes} bytes, "
        f"snapshot `{data.snapshot}` ({data.snapshot_uuid}) of volume `{data.svm}:{data.volume}`, {data.digest}",
        "Source": data.source or "unknown",
        "Code": f"commit `{version.code_commit}`",
        "Parameters": ", ".join(f"{name}={value}" for name, value in version.parameters.items()) or "none",
        "Metrics": ", ".join(f"{name} {value:.4g}" for name, value in version.metrics.items()) or "none",
    }
    return "\n".join(f"- **{title}**: {text}" for title, text in lines.items())
