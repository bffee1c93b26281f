"""The Params that every training has, in the order of the form: data, training, deployment, and doing a run again."""

from __future__ import annotations

from collections.abc import Mapping

from airflow.sdk import Param

from ontap_mlops import locations, sites
from ontap_mlops.operators.choose import PROMOTE
from ontap_mlops.operators.judging import JUDGE_BY
from ontap_mlops.operators.places import known_places, known_projects, places_param
from ontap_mlops.operators.run_cache import BESIDE, CHOICES
from ontap_mlops.pipelines.system import System

TRACKED = ("seed", "confidence")  # common Params that the training or its judgement depends on


def training_params(system: System, own: Mapping[str, Param]) -> dict[str, Param]:
    """The common Params with the system's own before the first section they do not belong to."""
    sections: dict[str, dict[str, Param]] = {}
    for params in (_data(system), own, _training(system), _deployment(system), _again()):
        for name, param in params.items():
            sections.setdefault(param.schema.get("section", ""), {})[name] = param
    return {name: param for params in sections.values() for name, param in params.items()}


def network_params(
    configurations: Mapping[str, str],
    *,
    things: str | None = "Pictures",
    part: str = "Train on a part of the version.",
    batch: str | None = None,
    published: Mapping[str, int] | None = None,
) -> dict[str, Param]:
    """The Params that trainings of networks have in common, for a system's own.

    :param configurations: names of the program's configurations, the usual one first, as the form shows them.
    :param things: what a version holds, for the title of ``limit``; ``part`` says what a part of them is. None: the
        whole version is always trained on.
    :param batch: of what the batch size is, in a sentence; None leaves it to the configuration.
    :param published: what the published configuration has, by the name of the Param.
    """

    def own(name: str) -> str:
        told = f" (published: {published[name]})" if published and name in published else ""
        return f"Empty: the configuration's{told}."

    params = {
        "configuration": Param(
            next(iter(configurations)),
            type="string",
            enum=[*configurations],
            title="Network and settings",
            values_display=dict(configurations),
            section="Training",
        ),
        "epochs": _number("Epochs", own("epochs")),
    }
    if batch is not None:
        params["batch_size"] = _number("Batch size", f"{batch} {own('batch_size')}".strip())
    if things is not None:
        params["limit"] = _number(f"{things} at most", f"{part} Empty: all of it.", minimum=20)
    return params


def _number(title: str, description: str, minimum: int = 1) -> Param:
    """A whole number, or nothing."""
    return Param(
        None,
        type=["null", "integer"],
        minimum=minimum,
        title=title,
        description=description,
        section="Training",
    )


def _site() -> dict[str, Param]:
    """Nothing where no other site is configured."""
    known = locations.choices()
    if len(known) == 1:
        return {}
    site = Param(
        locations.HOME,
        type="string",
        enum=known,
        title="Site",
        description=(
            "Where to train: at home, or on the copy of the data that the DAG replicate keeps at another site. A run "
            "at another site trains and judges, and leaves the deployed model alone. Choose a place to compute that "
            "mounts the volumes of the site."
        ),
    )
    within = Param(
        None,
        type=["null", "number"],
        exclusiveMinimum=0,
        title="Site at most behind (minutes)",
        description=(
            "The run waits until the site's copy is no older; a version that is named is waited for too. Nothing is "
            "held at the place meanwhile. Empty: take the newest version that is there."
        ),
    )
    return {"site": site, "site_within_min": within}


def _data(system: System) -> dict[str, Param]:
    # Without a section: Airflow opens that part of the form, and folds the sections.
    params = {
        "dataset_version": Param(
            None,
            type=["null", "string"],
            title="Dataset version",
            description=(
                "Id of a version, such as v20261120t063000z01234567. Empty: by date, or the newest. "
                f"`make versions DATASET={system.dataset}` lists them, and so does the page of the asset "
                f"dataset/{system.dataset} under Assets."
            ),
        ),
        "as_of": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="Data as of",
            description="Train on the version that was current at this time.",
        ),
        **_site(),
    }
    if system.buckets:
        params["read_through"] = Param(
            "bucket",
            type="string",
            enum=["bucket", "mount"],
            title="Read data through",
            values_display={"bucket": "the workspace's S3 bucket", "mount": "the mounted workspace"},
        )
    if system.cached:
        params["cache_at"] = _cache_at()
    return params


def _cache_at() -> Param:
    known = sorted(sites.usable())
    return Param(
        BESIDE,
        type="string",
        enum=[*CHOICES, *known],
        values_display={**CHOICES, **{name: f"at site {name}" for name in known}},
        title="Cache the data",
        description=(
            "Where the version is cached for this run and those after it. The site of the compute is the one whose "
            "`places` in config/sites.yaml list the first place. A site that is down or full is passed over: the "
            "source is read, and the run says so."
        ),
    )


def _training(system: System) -> dict[str, Param]:
    return {
        "seed": Param(1, type="integer", title="Seed", section="Training"),
        "compute": places_param(_first(system.places), title="Compute", section="Training"),
        **_project(),
    }


def _project() -> dict[str, Param]:
    """Nothing where no GPU projects are configured."""
    known = known_projects()
    if not known:
        return {}
    project = Param(
        None,
        type=["null", "string"],
        enum=[None, *known],
        title="GPU project",
        description="Whose GPUs the programs use, at a place whose scheduler knows projects. Empty: the place's own.",
        section="Training",
    )
    return {"project": project}


def _first(wanted: tuple[str, ...]) -> str | None:
    """The first of them that is configured; None leaves it to the order of the file."""
    known = known_places()
    return next((name for name in wanted if name in known), None)


def _deployment(system: System) -> dict[str, Param]:
    return {
        "promote": Param(
            "if_better",
            type="string",
            enum=list(PROMOTE),
            values_display=PROMOTE,
            title="Promote",
            description="When the new model replaces the deployed one.",
            section="Deployment",
        ),
        "metric": Param(
            system.metrics[0],
            type="string",
            enum=list(system.metrics),
            title="Metric that decides",
            section="Deployment",
        ),
        "judge_by": Param(
            "interval",
            type="string",
            enum=list(JUDGE_BY),
            values_display=JUDGE_BY,
            title="Judge by",
            description="Both models are judged on the same held-out rows, which neither has trained on.",
            section="Deployment",
        ),
        "minimum_gain": Param(
            0.0,
            type="number",
            minimum=0,
            maximum=1,
            title="Minimum gain",
            description="By how much the metric must be better.",
            section="Deployment",
        ),
        "confidence": Param(
            0.95,
            type="number",
            minimum=0.5,
            maximum=0.999,
            title="Confidence",
            description="Of the interval of the gain.",
            section="Deployment",
        ),
    }


def _again() -> dict[str, Param]:
    return {
        "repeat_run": Param(
            None,
            type=["null", "string"],
            title="Repeat a run",
            description="Run key (r...) of a past training to do again exactly; the fields above do not count then.",
            section="Run it again",
        ),
    }
