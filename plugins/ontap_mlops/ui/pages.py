"""The hub's pages, made on the server: they read without a script, which only starts actions and follows runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from ontap_mlops.ui import PREFIX, drawing, looking, wording
from ontap_mlops.ui.access import ViewerDep
from ontap_mlops.ui.api import FilePath, HubDep, Refresh, Search
from ontap_mlops.ui.facts import actions
from ontap_mlops.ui.facts.shapes import Page
from ontap_mlops.ui.hub import NotThere

router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(default=True, default_for_string=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters |= {
    "size": wording.size,
    "more": wording.more,
    "time": wording.time,
    "share": wording.share,
    "number": wording.number,
    "part": lambda text: quote(str(text), safe=""),
    "json": lambda value: json.dumps(value, default=str),
}
_TEMPLATES.globals |= {"lasted": wording.lasted}
_TITLES = {401: "Log in first", 403: "You may not see this", 404: "There is no such thing", 503: "Not known now"}


def is_page(request: Request) -> bool:
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    return not path.startswith(("/api/", "/static/", "/openapi.json"))


def trouble(request: Request, status: int, sentence: str) -> HTMLResponse:
    title = _TITLES.get(status, "That did not work")
    return _render(request, "trouble.html", status=status, title=title, sentence=sentence)


@router.get("/")
def datasets(
    request: Request, hub: HubDep, viewer: ViewerDep, q: Search = "", page: Page = 1, refresh: Refresh = False
) -> Response:
    found = hub.datasets(search=q, page=page, refresh=refresh)
    return _render(request, "datasets.html", title="Datasets", found=found, q=q)


@router.get("/datasets/{name}")
def dataset(
    request: Request, name: str, hub: HubDep, viewer: ViewerDep, page: Page = 1, refresh: Refresh = False
) -> Response:
    found = hub.dataset(name, page=page, refresh=refresh)
    startable = viewer.of(hub, actions.of_dataset(name))
    line = drawing.time_line(found.versions)
    return _render(request, "dataset.html", title=name, found=found, line=line, actions=startable)


@router.get("/datasets/{name}/trained-on")
def trained_on(request: Request, name: str, path: FilePath, hub: HubDep, viewer: ViewerDep) -> Response:
    looking.require_files(viewer, name)
    return _render(request, "trained_on.html", title=f"Trained on {path}", found=hub.trained_on(name, path))


@router.get("/datasets/{name}/compare")
def compare(
    request: Request,
    name: str,
    hub: HubDep,
    viewer: ViewerDep,
    before: Annotated[str, Query(max_length=100)],
    after: Annotated[str, Query(max_length=100)],
) -> Response:
    looking.require_files(viewer, name)
    found = hub.comparison(name, before, after)
    sides = [looking.samples_of(hub, viewer, name, each) for each in (before, after)]
    return _render(request, "compare.html", title=f"{before} and {after}", found=found, sides=sides)


@router.get("/datasets/{name}/versions/{version}")
def version(
    request: Request, name: str, version: str, hub: HubDep, viewer: ViewerDep, refresh: Refresh = False
) -> Response:
    try:
        found = viewer.version(hub.version(name, version, refresh=refresh))
    except NotThere as error:
        gone = viewer.lineage(hub.lineage(name, version, refresh=refresh))
        if not gone.trainings and not gone.models:
            raise
        picture = drawing.lineage(gone)
        return _render(request, "gone.html", title=version, found=gone, picture=picture, sentence=str(error))
    startable = viewer.of(hub, looking.require_version(hub, name, version))
    repeatable = viewer.of(
        hub, [a for each in found.lineage.trainings if each.repeatable for a in actions.of_training(each)]
    )
    context: dict[str, Any] = {
        "found": found,
        "picture": drawing.lineage(found.lineage, found.version.source),
        "actions": startable,
        "repeats": {action.conf["repeat_run"]: action for action in repeatable},
        "samples": looking.samples_of(hub, viewer, name, version) if viewer.may_read_files(name) else None,
    }
    return _render(request, "version.html", title=version, **context)


@router.get("/caches")
def caches(request: Request, hub: HubDep, viewer: ViewerDep, refresh: Refresh = False) -> Response:
    startable = viewer.of(hub, actions.of_caches())
    return _render(request, "caches.html", title="Caches", found=hub.caches(refresh=refresh), actions=startable)


@router.get("/models")
def models(
    request: Request, hub: HubDep, viewer: ViewerDep, q: Search = "", page: Page = 1, refresh: Refresh = False
) -> Response:
    found = hub.models(search=q, page=page, refresh=refresh)
    return _render(request, "models.html", title="Models", found=found, q=q)


@router.get("/models/{name}/{number}")
def model(
    request: Request, name: str, number: int, hub: HubDep, viewer: ViewerDep, refresh: Refresh = False
) -> Response:
    found = hub.model(name, number, refresh=refresh)
    shown = found.model
    way = viewer.lineage(hub.lineage(shown.dataset, shown.dataset_version))
    wanted = [
        a
        for each in way.trainings
        if each.run_key == shown.run_key and each.repeatable
        for a in actions.of_training(each)
    ]
    context: dict[str, Any] = {
        "found": found,
        "picture": drawing.lineage(
            way.model_copy(
                update={"models": [shown], "trainings": [t for t in way.trainings if t.run_key == shown.run_key]}
            )
        ),
        "actions": viewer.of(hub, [*actions.of_model(shown), *wanted]),
    }
    return _render(request, "model.html", title=f"{name} version {number}", **context)


@router.get("/experiments/{run_key}")
def experiment(request: Request, run_key: str, hub: HubDep, viewer: ViewerDep, refresh: Refresh = False) -> Response:
    found = viewer.experiment(hub.experiment(run_key, refresh=refresh))
    startable = viewer.of(hub, actions.of_experiment(run_key))
    return _render(request, "experiment.html", title=f"Experiment {run_key}", found=found, actions=startable)


@router.get("/storage")
def storage(
    request: Request, hub: HubDep, viewer: ViewerDep, q: Search = "", page: Page = 1, refresh: Refresh = False
) -> Response:
    found = hub.storage(search=q, page=page, refresh=refresh)
    startable = viewer.of(hub, actions.of_storage())
    return _render(request, "storage.html", title="Storage", found=found, q=q, actions=startable)


@router.get("/runs")
def runs(request: Request, hub: HubDep, viewer: ViewerDep, refresh: Refresh = False) -> Response:
    found = hub.runs(viewer.may_read_runs, refresh=refresh)
    return _render(request, "runs.html", title="Runs", found=found)


@router.get("/of/dag/{dag_id}")
def of_dag(request: Request, dag_id: str, hub: HubDep, viewer: ViewerDep) -> Response:
    """From a DAG in Airflow: the dataset that it ingests, or else the runs."""
    name = dag_id.removeprefix("ingest_")
    return RedirectResponse(_at(request, f"datasets/{quote(name)}" if name != dag_id else "runs"), 303)


@router.get("/of/run/{dag_id}/{run_id:path}")
def of_run(request: Request, dag_id: str, run_id: str, hub: HubDep, viewer: ViewerDep) -> Response:
    """From a run in Airflow: the dataset version that it works on, as far as it is known."""
    found = hub.runs(viewer.may_read_runs).runs
    run = next((each for each in found if (each.dag_id, each.run_id) == (dag_id, run_id)), None)
    if run is not None and run.version:
        return RedirectResponse(_at(request, f"datasets/{quote(run.dataset)}/versions/{quote(run.version)}"), 303)
    return of_dag(request, dag_id, hub, viewer)


@router.get("/json")
def described(request: Request, viewer: ViewerDep) -> Response:
    """The JSON API in words, of the same description that programs read."""
    return _render(request, "described.html", title="JSON API", api=request.app.openapi())


@router.get("/openapi.json", response_class=JSONResponse)
def openapi(request: Request, viewer: ViewerDep) -> Response:
    return JSONResponse(request.app.openapi())


def _at(request: Request, path: str) -> str:
    return f"{request.scope.get('root_path', '')}/{path}"


def _render(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    root: str = request.scope.get("root_path", "")
    query = dict(request.query_params)

    def here(**changed: Any) -> str:
        """The page itself, with another query."""
        wanted = {key: value for key, value in {**query, **changed}.items() if value not in (None, "")}
        return "?" + urlencode(wanted)

    context |= {"status": status, "root": root, "airflow": root.removesuffix(PREFIX), "here": here}
    context |= {"path": request.url.path.removeprefix(root)}
    return HTMLResponse(_TEMPLATES.get_template(template).render(context), status)
