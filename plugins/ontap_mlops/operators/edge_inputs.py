"""Operators that bring home what edge servers were asked, and make room at the sites once a dataset version has it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from ontap_mlops import edge_sites, names, registry
from ontap_mlops.operators import telling
from ontap_mlops.operators.base import MlopsOperator, OntapPairOperator
from ontap_mlops.operators.context import needed, result_of
from ontap_mlops.operators.edge import WHY, _all, _OfASite, chosen, states
from ontap_mlops.operators.kind_programs import KindProgramOperator
from ontap_mlops.operators.waiting import OntapWaitingOperator
from ontap_mlops.records import DatasetVersion
from ontap_mlops.serving.kind import Program

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.ontap.client import Client

PROGRAM = "tasks.edge.inputs"
SITES, VERSION = "sites", "version"
GATHER, HELD, CLEAR = "gather", "held", "clear"


class EdgeInputsSitesOperator(MlopsOperator):
    """Name the sites whose inputs are brought home: those that a roll-out has brought the model to.

    :param model: name in the registry.
    :param dataset: name in datasets.yaml of the dataset that takes them.
    :param groups: groups of sites, a list or joined by commas; all if empty.
    :return: for each site ``site``, ``model`` and ``dataset``.
    """

    template_fields: Sequence[str] = ("model", "dataset", "groups")

    def __init__(
        self,
        *,
        model: str,
        dataset: str,
        groups: Sequence[str] | str = (),
        mlflow_conn_id: str = "mlflow_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.dataset = dataset
        self.groups = groups
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> list[dict[str, Any]]:
        dataset = registry.dataset(self.dataset)
        known = states(self.model, self.mlflow_conn_id).read()
        found = [site.name for site in chosen(self.groups) if site.name in known]
        if not found:
            telling.add_note(context, f"No roll-out has brought model {self.model} to any of these sites yet.")
        return [{"site": name, "model": self.model, "dataset": dataset.name} for name in found]


class EdgeInputsBringOperator(_OfASite, OntapWaitingOperator, OntapPairOperator):
    """Have the volume for a site's inputs there, and at home, as the site's entry says, a cache or a mirror of it.

    A site of way ``sync`` has its inputs copied by the program at its place, so there is nothing of them at home.

    :param site: ``site`` (a name, or a mapping with the keys of ``edge_sites.yaml`` and ``name``), ``model`` and
        ``dataset``, as :class:`EdgeInputsSitesOperator` names them.
    :param ontap_conn_id: connection to home's ONTAP.
    :return: ``volume`` and ``svm`` from which the inputs are read, and what was transferred: ``bytes``, ``seconds``.
    """

    template_fields: Sequence[str] = ("site",)
    look = "ontap_mlops.ontap.edge_volumes.look"
    cancel = "ontap_mlops.ontap.edge_volumes.abort"

    def __init__(self, *, site: Any, **kwargs: Any) -> None:
        super().__init__(source_conn_id="", **kwargs)  # of a mapped task the site is known when it is rendered
        self.site = site

    def execute(self, context: Context) -> Any:
        return self.telling_why(context, lambda: super(EdgeInputsBringOperator, self).execute(context))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        complete = super().execute_complete
        return self.telling_why(context, lambda: complete(context, event))

    def begin(self, client: Client, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import edge_volumes, volumes
        from ontap_mlops.ontap.marks import mark

        entry, model = self.entry, self.site["model"]
        self.source_conn_id = entry.ontap_conn_id
        there, what = names.edge_inputs_volume(model, entry.name), f"inputs of {model}"
        with self.source_hook.client() as site:
            volumes.ensure(
                site,
                svm=entry.svm,
                name=there,
                size_bytes=entry.size,
                comment=mark(f"{what} at {entry.name}"),
                junction_path=names.junction_path(there),
                unix_permissions="777",
                aggregate=entry.aggregate,
            )
            if entry.way == edge_sites.SYNC:
                return {"svm": entry.svm, "volume": there}
            return edge_volumes.bring(
                client,
                site,
                way=entry.way,
                svm=self.hook.svm(),
                volume=names.edge_inputs_copy(model, entry.name),
                source_svm=entry.svm,
                source_volume=there,
                size_bytes=entry.size,
                what=what,
            )

    def finish(self, client: Client, payload: Any, context: Context) -> dict[str, Any]:
        svm, volume = _read_from(self.entry, self.site["model"])
        return {"svm": svm or self.hook.svm(), "volume": volume, **payload}


class EdgeInputsGatherOperator(_OfASite, KindProgramOperator):
    """Verify a site's closed batches and copy those that are new to the source of the dataset.

    :param site: as for :class:`EdgeInputsBringOperator`.
    :return: ``batches`` that are home, by id, and what ``tasks.edge.inputs gather`` says further.
    """

    verb = GATHER
    template_fields: Sequence[str] = (*KindProgramOperator.template_fields, "site")

    def __init__(self, *, site: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.site = site

    def execute(self, context: Context) -> dict[str, Any]:
        return self.telling_why(context, lambda: super(EdgeInputsGatherOperator, self).execute(context))

    def execute_complete(self, context: Context, *args: Any, **kwargs: Any) -> dict[str, Any]:
        complete = super().execute_complete
        return self.telling_why(context, lambda: complete(context, *args, **kwargs))

    def kind_program(self, context: Context) -> Program | None:
        entry, item = self.entry, self.site
        dataset = registry.dataset(item["dataset"])
        svm, volume = _read_from(entry, item["model"])
        if entry.way == edge_sites.SYNC:
            self.compute = entry.place
        inputs: dict[str, Any] = {"junction_path": names.junction_path(volume), "read_only": True} | (
            {"svm": svm} if svm else {}
        )
        target = f"{dataset.source.rstrip('/')}/{_under(item)}/"
        return Program(
            program=PROGRAM,
            arguments=[GATHER, "--inputs={inputs}", f"--target={target}"],
            mounts={"inputs": inputs},
            aws_conn_id=dataset.source_conn_id,
        )

    def finish(self, context: Context, result: dict[str, Any]) -> dict[str, Any]:
        return {**self.site, **result}


class EdgeInputsGatheredOperator(MlopsOperator):
    """Name the sites whose batches are home; the run ends here where there are none.

    A site that could not be reached is caught up by the next run.

    :param gather: task id of the group's :class:`EdgeInputsGatherOperator`.
    :return: for each site what it has said: ``site``, ``model``, ``dataset`` and ``batches``.
    """

    def __init__(self, *, gather: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gather = gather

    def execute(self, context: Context) -> list[dict[str, Any]]:
        found = [each for each in _all(context, self.gather) if each["batches"]]
        if not found:
            self.skip_because(context, "No site has closed a batch of inputs since the last run.")
        self.log.info("%s batches of %s sites are home", sum(len(each["batches"]) for each in found), len(found))
        keys = ("site", "model", "dataset", "batches")
        return [{key: each[key] for key in keys} for each in found]


class EdgeInputsVersionOperator(MlopsOperator):
    """Name the newest version of the dataset, in which the batches should be.

    :param dataset: name in datasets.yaml.
    :return: the DatasetVersion, as JSON.
    """

    template_fields: Sequence[str] = ("dataset",)

    def __init__(self, *, dataset: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dataset = dataset

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.hooks.ontap import OntapHook
        from ontap_mlops.ontap import dataset_versions

        dataset = registry.dataset(self.dataset)
        hook = OntapHook(dataset.ontap_conn_id)
        with hook.client() as client:
            svm = hook.svm(dataset.svm)
            found = dataset_versions.list_versions(client, svm=svm, volume=dataset.volume, dataset=dataset.name)
        if not found:
            raise AirflowFailException(
                f"Dataset {dataset.name} has no version, so nothing is removed at any site; see ingest_{dataset.name}."
            )
        self.log.info("The newest version of %s is %s", dataset.name, found[-1].id)
        return found[-1].to_json()


class EdgeInputsHeldOperator(EdgeInputsGatherOperator):
    """Ask the dataset version which of a site's batches are whole in it.

    :param site: ``site``, ``model``, ``dataset`` and ``batches``, as :class:`EdgeInputsGatheredOperator` names them.
    :return: ``held``, the batches by id.
    """

    def kind_program(self, context: Context) -> Program | None:
        version = DatasetVersion.from_json(needed(context, VERSION))
        data: dict[str, Any] = {
            "svm": version.svm,
            "junction_path": names.junction_path(version.volume),
            "read_only": True,
        }
        arguments = [HELD, f"--version={{data}}/.snapshot/{version.snapshot}", f"--under={_under(self.site)}"]
        return Program(program=PROGRAM, arguments=[*arguments, *_batches(self.site["batches"])], mounts={"data": data})


class EdgeInputsClearOperator(EdgeInputsGatherOperator):
    """Remove at a site the batches that a dataset version holds.

    :param site: as for :class:`EdgeInputsHeldOperator`.
    :param held: task id of the group's :class:`EdgeInputsHeldOperator`.
    :return: ``site``, ``model``, ``dataset``, ``batches`` and ``removed``, a count.
    """

    def __init__(self, *, site: Any, held: str, **kwargs: Any) -> None:
        super().__init__(site=site, **kwargs)
        self.held = held

    def kind_program(self, context: Context) -> Program | None:
        entry, ti = self.entry, context["ti"]
        self.compute = entry.place
        held = ((ti.xcom_pull(task_ids=self.held, map_indexes=ti.map_index) or {}) or {}).get("held") or {}
        if missing := sorted(self.site["batches"].keys() - held.keys()):
            raise AirflowFailException(
                f"Batch {missing[0]} of {entry.name} is not in the newest version of {self.site['dataset']}, so it "
                "stays at the site; see the log of the task before, and of the ingest."
            )
        volume = names.edge_inputs_volume(self.site["model"], entry.name)
        inputs = {"svm": entry.svm, "junction_path": names.junction_path(volume)}
        return Program(
            program=PROGRAM, arguments=[CLEAR, "--inputs={inputs}", *_batches(held)], mounts={"inputs": inputs}
        )


class EdgeInputsEndOperator(MlopsOperator):
    """Say what came of each site; fails with the sentence of each that has failed.

    A site that could not be reached fails nothing: what it keeps is brought home by the next run.

    :param first: ids of the mapped tasks that bring inputs home; the last one has each site's batches.
    :param second: ids of those that make room at the sites; the last one says where there is room.
    """

    def __init__(self, *, first: Sequence[str], second: Sequence[str], **kwargs: Any) -> None:
        kwargs.setdefault("trigger_rule", "all_done")
        super().__init__(**kwargs)
        self.first = first
        self.second = second

    def execute(self, context: Context) -> dict[str, Any]:
        asked = result_of(context, SITES)
        if asked is None:
            raise AirflowFailException(
                f"Nothing was brought home, since {SITES} failed: clear that task, with all after it."
            )
        said = {each["site"]: each for step in (*self.first, *self.second) for each in _all(context, step, WHY)}
        gathered = {each["site"]: each for each in _all(context, self.first[-1])}
        cleared = {each["site"] for each in _all(context, self.second[-1])}
        to_clear = {site for site, each in gathered.items() if each["batches"]}
        missing = [each["site"] for each in asked if each["site"] not in gathered] + sorted(to_clear - cleared)
        away = [site for site in missing if said.get(site, {}).get("away")]
        wrong = [_sentence(said, site) for site in missing if site not in away]
        wrong += [
            f"{site}: batch {name} is not what its own list says, and stays there; its program's log says more."
            for site, each in gathered.items()
            for name in each["bad"]
        ]
        if wrong:
            raise AirflowFailException(" ".join(wrong))
        if away:
            told = " ".join(_sentence(said, site) for site in away)
            telling.add_note(context, f"Left for the next run: {', '.join(away)}. {told}")
        found = {"inputs": sum(each["inputs"] for each in gathered.values()), "sites": len(gathered), "away": away}
        self.log.info("%s inputs of %s sites are in the dataset", found["inputs"], found["sites"])
        return found


def _read_from(entry: edge_sites.EdgeSite, model: str) -> tuple[str, str]:
    """SVM (empty: home's) and volume from which a site's inputs are read."""
    if entry.way == edge_sites.SYNC:
        return entry.svm, names.edge_inputs_volume(model, entry.name)
    return "", names.edge_inputs_copy(model, entry.name)


def _under(item: dict[str, Any]) -> str:
    """Where a site's batches are in the dataset."""
    return f"{item['model']}/{edge_sites.as_edge_site(item['site']).name}"


def _batches(found: dict[str, str]) -> Iterable[str]:
    return [f"--batch={name}:{digest}" for name, digest in sorted(found.items())]


def _sentence(said: dict[str, dict[str, Any]], site: str) -> str:
    return said.get(site, {}).get("sentence") or f"{site}: it came to no end; see its log."
