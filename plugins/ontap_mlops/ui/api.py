"""The hub's JSON API. It only reads: whatever is to be done is a run of a DAG, asked of Airflow's own REST API."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response

from ontap_mlops import settings
from ontap_mlops.ui import looking
from ontap_mlops.ui.access import ViewerDep
from ontap_mlops.ui.facts import actions, samples
from ontap_mlops.ui.facts.shapes import (
    Action,
    Caches,
    Comparison,
    DatasetPage,
    Datasets,
    ExperimentPage,
    Lineage,
    ModelOrigin,
    Models,
    Page,
    Runs,
    Samples,
    Storage,
    TrainedOn,
    VersionPage,
)
from ontap_mlops.ui.hub import Hub


def hub_of(request: Request) -> Hub:
    hub: Hub = request.app.state.hub
    return hub


HubDep = Annotated[Hub, Depends(hub_of)]
Refresh = Annotated[bool, Query(description="Ask ONTAP and MLflow again, in place of showing what was kept.")]
Search = Annotated[str, Query(alias="q", max_length=200, description="Part of the name.")]
FilePath = Annotated[str, Query(max_length=1000, description="Path below the version's data.")]

RESPONSES: dict[int | str, dict[str, Any]] = {
    401: {"description": "Not logged in to Airflow."},
    403: {"description": "The user may not see this in Airflow."},
    404: {"description": "There is no such thing."},
    503: {"description": "ONTAP or MLflow is silent, and nothing is known from before."},
}
router = APIRouter(prefix="/api", responses=RESPONSES)


@router.get("/datasets", summary="Datasets with their newest version")
def datasets(hub: HubDep, viewer: ViewerDep, q: Search = "", page: Page = 1, refresh: Refresh = False) -> Datasets:
    return hub.datasets(search=q, page=page, refresh=refresh)


@router.get("/datasets/{name}", summary="A dataset with its versions, newest first, its caches and models")
def dataset(name: str, hub: HubDep, viewer: ViewerDep, page: Page = 1, refresh: Refresh = False) -> DatasetPage:
    return hub.dataset(name, page=page, refresh=refresh)


@router.get("/datasets/{name}/trained-on", summary="Which models have seen a file")
def trained_on(name: str, path: FilePath, hub: HubDep, viewer: ViewerDep) -> TrainedOn:
    looking.require_files(viewer, name)
    return hub.trained_on(name, path)


@router.get("/datasets/{name}/versions/{version}", summary="A version: size, caches, runs on it, models, what serves")
def version(name: str, version: str, hub: HubDep, viewer: ViewerDep, refresh: Refresh = False) -> VersionPage:
    return viewer.version(hub.version(name, version, refresh=refresh))


@router.get("/datasets/{name}/versions/{version}/lineage", summary="From a version to its runs and models")
def lineage(name: str, version: str, hub: HubDep, viewer: ViewerDep, refresh: Refresh = False) -> Lineage:
    """Known even of a version whose snapshot is gone."""
    return viewer.lineage(hub.lineage(name, version, refresh=refresh))


@router.get("/datasets/{name}/versions/{version}/changes", summary="What differs, file by file, from another version")
def changes(
    name: str, version: str, hub: HubDep, viewer: ViewerDep, since: Annotated[str, Query(max_length=100)]
) -> Comparison:
    looking.require_files(viewer, name)
    return hub.comparison(name, since, version)


@router.get("/datasets/{name}/versions/{version}/samples", summary="Pictures, tables and texts of a version")
def of_version_samples(name: str, version: str, hub: HubDep, viewer: ViewerDep) -> Samples:
    return looking.samples_of(hub, viewer, name, version)


@router.get(
    "/datasets/{name}/versions/{version}/picture",
    summary="One PNG or JPEG picture of a version",
    response_class=Response,
    responses={200: {"content": {"image/png": {}, "image/jpeg": {}}}},
)
def picture(name: str, version: str, path: FilePath, hub: HubDep, viewer: ViewerDep) -> Response:
    try:
        body, kind = samples.picture(looking.folder_of(hub, viewer, name, version), path)
    except samples.NoSample as error:
        raise HTTPException(404, str(error)) from None
    # A version never changes, but who may see it does: kept by this person's browser, and for an hour.
    return Response(body, media_type=kind, headers={"Cache-Control": "private, max-age=3600"})


@router.get("/caches", summary="Sites with their caches: how warm, last used, why kept or evicted")
def caches(hub: HubDep, viewer: ViewerDep, refresh: Refresh = False) -> Caches:
    return hub.caches(refresh=refresh)


@router.get("/models", summary="Registered model versions, newest first, and which of them serve")
def models(hub: HubDep, viewer: ViewerDep, q: Search = "", page: Page = 1, refresh: Refresh = False) -> Models:
    return hub.models(search=q, page=page, refresh=refresh)


@router.get("/models/{name}/versions/{number}", summary="Where a model version comes from, and what data it has seen")
def model(name: str, number: int, hub: HubDep, viewer: ViewerDep, refresh: Refresh = False) -> ModelOrigin:
    return hub.model(name, number, refresh=refresh)


@router.get("/experiments/{run_key}", summary="What a run froze, whether it is still there, and who repeated it")
def experiment(run_key: str, hub: HubDep, viewer: ViewerDep, refresh: Refresh = False) -> ExperimentPage:
    return viewer.experiment(hub.experiment(run_key, refresh=refresh))


@router.get("/storage", summary="Volumes, snapshots, clones, and what can be reclaimed")
def storage(hub: HubDep, viewer: ViewerDep, q: Search = "", page: Page = 1, refresh: Refresh = False) -> Storage:
    return hub.storage(search=q, page=page, refresh=refresh)


@router.get("/runs", summary="The newest runs of pipelines, with what they work on")
def runs(hub: HubDep, viewer: ViewerDep, refresh: Refresh = False) -> Runs:
    return hub.runs(viewer.may_read_runs, refresh=refresh)


@router.get("/actions", summary="What the user may start, as DAG and Params for Airflow's own REST API")
def startable(
    hub: HubDep,
    viewer: ViewerDep,
    dataset: Annotated[str, Query(max_length=100)] = "",
    version: Annotated[str, Query(max_length=100)] = "",
    model: Annotated[str, Query(max_length=100)] = "",
    number: Annotated[int, Query(ge=0)] = 0,
    experiment: Annotated[str, Query(max_length=100)] = "",
    programs: Annotated[bool, Query(description="Only those that [ontap_mlops] hub_actions names.")] = False,
) -> list[Action]:
    """Of a dataset, a version of it, a version of a model, or an experiment; of none, those of caches and storage.

    POST `conf`, with the fields filled in, to `/api/v2/dags/{dag_id}/dagRuns` as
    `{"logical_date": null, "conf": {...}}`.
    """
    if version:
        found = looking.require_version(hub, dataset, version)
    elif dataset:
        found = actions.of_dataset(dataset)
    elif model:
        found = actions.of_model(hub.model(model, number).model)
    elif experiment:
        found = actions.of_experiment(hub.experiment(experiment).experiment.run_key)
    else:
        found = [*actions.of_caches(), *actions.of_storage()]
    allowed = settings.hub_actions()
    return viewer.of(hub, [each for each in found if not programs or each.name in allowed])


@router.get("/programs", summary="Names of the actions that programs may start over MCP")
def for_programs(viewer: ViewerDep) -> list[str]:
    """As [ontap_mlops] hub_actions of the API server names them; none by default."""
    return [name for name in settings.hub_actions() if name in actions.NAMES]
