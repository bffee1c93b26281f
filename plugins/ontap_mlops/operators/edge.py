"""Operators that roll a model version out to edge sites: stage by stage, each site on its own, and back.

What a site serves is kept with the registered model (``hooks.mlflow_edge``), written down before it is changed: whoever
finds a run dead knows what each site served before. A site whose tasks fail has said why in XCom, key ``why``; the next
stage begins, or not, by what the stage before has said.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from ontap_mlops import edge_sites, names
from ontap_mlops.operators import telling
from ontap_mlops.operators.base import MlopsOperator, OntapPairOperator
from ontap_mlops.operators.context import needed, result_of, run_key
from ontap_mlops.operators.deployments import DeploymentPlaceOperator
from ontap_mlops.operators.kind_programs import KindProgramOperator
from ontap_mlops.operators.scans import require_scanned
from ontap_mlops.operators.waiting import OntapWaitingOperator
from ontap_mlops.records import EdgeState, ModelVersion
from ontap_mlops.serving.kind import Program, ProofFailed
from ontap_mlops.serving.kinds.triton import Kind, served_versions

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.edge_sites import EdgeSite
    from ontap_mlops.hooks.mlflow_edge import EdgeStates
    from ontap_mlops.ontap.client import Client

ROLL_OUT, PUT_BACK = "roll_out", "put_back"
ACTIONS = {
    ROLL_OUT: "Roll out, stage by stage",
    PUT_BACK: "Put back: each site serves again what it served before",
}
VERSION, PLACE = "version", "place"
STAGES = ("first", "tenth", "rest")
SITES, WHY = "sites", "why"  # keys of XCom
FOLDER = "triton"  # of the repository, on the model volume and on what the sites have of it
_SHOWN_SITES = 5


def states(model: str, mlflow_conn_id: str) -> EdgeStates:
    from ontap_mlops.hooks.mlflow import MlflowHook
    from ontap_mlops.hooks.mlflow_edge import EdgeStates

    return EdgeStates(MlflowHook(mlflow_conn_id).service, model)


def _kind(model: str, **options: Any) -> Kind:
    """A site's server serves as Triton does at home, from the repository on the model volume."""
    return Kind(repository_volume=names.model_volume(model), repository_folder=FOLDER, **options)


class EdgeVersionOperator(MlopsOperator):
    """Name the model version that the run is about.

    :param model: name in the registry.
    :param version: its number. Empty: the champion; to put back, the newest version that any site serves.
    :param what: ``roll_out`` or ``put_back``.
    :return: the ModelVersion, as JSON.
    """

    template_fields: Sequence[str] = ("model", "version", "what")

    def __init__(
        self,
        *,
        model: str,
        version: int | str | None = None,
        what: str = ROLL_OUT,
        mlflow_conn_id: str = "mlflow_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.version = version
        self.what = what
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.hooks.mlflow import MlflowHook

        registry = MlflowHook(self.mlflow_conn_id)
        number = int(self.version) if self.version else None
        if number is None and self.what == PUT_BACK:
            known = states(self.model, self.mlflow_conn_id).read().values()
            found = [each.version for each in known if each.version and _can_return(each)]
            if not found:
                raise AirflowFailException(
                    f"No edge site serves a version of model {self.model} that came by a roll-out and was not put back "
                    "yet, so there is nothing to put back. To go to another version, roll it out."
                )
            number = max(found)
        version = registry.model_version(self.model, number) if number else registry.champion(self.model)
        if version is None:
            raise AirflowFailException(f"Model {self.model} has no champion; deploy a version at home, or name one.")
        if self.what == ROLL_OUT:
            require_scanned(version)
        self.log.info("%s: version %s of model %s", ACTIONS[self.what], version.version, version.model)
        return version.to_json()


class EdgePlaceOperator(DeploymentPlaceOperator):
    """Bring the version's files to the repository on the model volume, from which all sites have them.

    :param what: nothing is placed for ``put_back``: what the sites return to is there.
    :return: what ``tasks.models.repository place`` says.
    """

    template_fields: Sequence[str] = (*DeploymentPlaceOperator.template_fields, "what")

    def __init__(self, *, what: str = ROLL_OUT, version: str = VERSION, **kwargs: Any) -> None:
        super().__init__(version=version, **kwargs)
        self.what = what

    def kind_program(self, context: Context) -> Program | None:
        version = ModelVersion.from_json(needed(context, self.version))
        return _kind(version.model).place(version) if self.what == ROLL_OUT else None


class EdgeActivateOperator(EdgePlaceOperator):
    """Make the version the one that a site's server serves after a restart; after a put-back, the one before it."""

    def kind_program(self, context: Context) -> Program | None:
        version = ModelVersion.from_json(needed(context, self.version))
        serving = _kind(version.model)
        return serving.activate(version) if self.what == ROLL_OUT else serving.inactivate(version)


class EdgeStageOperator(MlopsOperator):
    """Judge the stage before, and name the sites of the next: one, then a share of all, then the rest.

    A stage is healthy when at most ``failures`` of its sites have failed and at least one serves. A site that could not
    be reached has not failed: it keeps what it serves, and the next run catches it up, last of all. An unhealthy stage
    fails this task with the sentence of each site, so no further site is touched.

    :param stage: number of the stage whose sites are named, from 0; 3 only judges, and names the sites to settle.
    :param what: ``roll_out`` or ``put_back``, which has all its sites in the last stage.
    :param groups: groups of sites, a list or joined by commas; all if empty.
    :param share: of all sites, those of the second stage: 0.1 is ten per cent, rounded up.
    :param failures: sites of a stage that may fail, as a share of it.
    :return: for each site of the stage ``site``, ``model``, ``version`` and ``digest``.
    """

    template_fields: Sequence[str] = ("what", "groups", "share", "failures")

    def __init__(
        self,
        *,
        stage: int,
        what: str = ROLL_OUT,
        groups: Sequence[str] | str = (),
        share: float | str = 0.1,
        failures: float | str = 0.0,
        mlflow_conn_id: str = "mlflow_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.stage = stage
        self.what = what
        self.groups = groups
        self.share = share
        self.failures = failures
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> list[dict[str, Any]]:
        version = ModelVersion.from_json(needed(context, VERSION))
        if self.stage == 0:
            stages = self._planned(context, version)
            context["ti"].xcom_push(key=SITES, value=stages)
            return stages[0]
        stages, gate = result_of(context, STAGES[0] + "_sites", SITES), STAGES[self.stage - 1] + "_sites"
        if not isinstance(result_of(context, gate), list) or stages is None:
            raise AirflowFailException(
                f"Nothing is done here, since {gate} failed: clear that task, with what follows."
            )
        healthy = self._judge(context, version, STAGES[self.stage - 1], stages[self.stage - 1])
        if self.stage < len(STAGES):
            return stages[self.stage]
        done = [
            item for group, items in zip(STAGES, stages, strict=True) for item in self._served(context, group, items)
        ]
        self.log.info("%s of %s sites serve what they should", len(done), sum(map(len, stages)))
        if not healthy and not done:
            telling.add_note(context, "Every site serves what it should already; nothing was changed.")
        return [each for each in done if edge_sites.edge_site(each["site"]).way != edge_sites.FLEXCACHE]

    def _planned(self, context: Context, version: ModelVersion) -> list[list[dict[str, Any]]]:
        known = states(version.model, self.mlflow_conn_id).read()
        sites = chosen(self.groups)
        if self.what == PUT_BACK:
            found = [known[s.name] for s in sites if s.name in known and known[s.name].version == version.version]
            back = [each for each in found if _can_return(each)]
            return [[], [], [_back(state, version.model) for state in back]]
        digest = needed(context, PLACE)["digest"]
        todo = [s.name for s in sites if not _serves(known.get(s.name), version.version)]
        # Those that could not be reached the last time come last: they say nothing about the version.
        todo.sort(key=lambda name: name in known and known[name].state == "behind")
        items = [_item(name, version.model, version.version, digest) for name in todo]
        tenth = 1 + math.ceil(float(self.share) * len(sites)) if items else 0
        self.log.info("%s of %s sites do not serve version %s yet", len(items), len(sites), version.version)
        return [items[:1], items[1:tenth], items[tenth:]]

    def _judge(self, context: Context, version: ModelVersion, group: str, items: Sequence[dict[str, Any]]) -> bool:
        """Whether there were sites at all. Raises AirflowFailException for a stage that is not healthy."""
        if not items:
            return False
        served = {item["site"] for item in self._served(context, group, items)}
        said = _said(context, group)
        missing = [item["site"] for item in items if item["site"] not in served]
        down = [site for site in missing if said.get(site, {}).get("away")]
        failed = [site for site in missing if site not in down]
        self._note(version, down, context)
        sentences = [
            said.get(site, {}).get("sentence") or f"{site}: it came to no end; see its log" for site in missing
        ]
        told = " ".join(sentences[:_SHOWN_SITES]) + (" ..." if len(sentences) > _SHOWN_SITES else "")
        if len(failed) > float(self.failures) * len(items) or not served:
            raise AirflowFailException(
                f"Stage {group!r} is not healthy: of {len(items)} sites {len(served)} serve version "
                f"{items[0]['version']} of {version.model}, {len(failed)} failed and {len(down)} could not be reached. "
                f"{told} No further site is changed."
            )
        if missing:
            self.log.warning("%s", told)
            telling.add_note(context, f"Left for the next run: {', '.join(missing)}. {told}")
        return True

    def _note(self, version: ModelVersion, sites: Iterable[str], context: Context) -> None:
        kept = states(version.model, self.mlflow_conn_id)
        known = kept.read() if sites else {}
        for site in sites:
            before = known.get(site) or _state(site, None, "", "behind", context)
            if before.state != "loading":  # then nobody knows yet what it serves
                kept.write(replace(before, state="behind", run_key=run_key(context), at=_now()))

    def _served(self, context: Context, group: str, items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        done = {each["site"] for each in _all(context, f"{group}.serve")}
        return [item for item in items if item["site"] in done]


class _OfASite(MlopsOperator):
    """What the tasks of one site share: who fails says why in XCom, for the judgement of the stage."""

    site: Any

    @property
    def entry(self) -> EdgeSite:
        return edge_sites.as_edge_site(self.site["site"])

    def telling_why(self, context: Context, work: Callable[[], Any]) -> Any:
        from ontap_mlops.hooks.rest import ServiceUnavailable
        from ontap_mlops.ontap.errors import OntapTemporaryError

        try:
            return work()
        except Exception as error:
            away = isinstance(error, OntapTemporaryError | ServiceUnavailable)
            site = self.entry.name
            sentence = f"{site}: {' '.join(str(error).split())}"
            context["ti"].xcom_push(key=WHY, value={"site": site, "sentence": sentence, "away": away})
            raise


class EdgeSiteBringOperator(_OfASite, OntapWaitingOperator, OntapPairOperator):
    """Have the volume from which a site's server reads a model, and bring it up to date.

    As the site's entry says, it is a cache of the model volume, a mirror of it, whose transfer is waited for, or a
    volume of its own. SVMs that are no peers yet are made so, which takes an administrator of both.

    :param site: ``site`` (a name, or a mapping with the keys of ``edge_sites.yaml`` and ``name``) and ``model``, as a
        :class:`EdgeStageOperator` names them.
    :param source_conn_id: connection to the ONTAP that has the model volume.
    :param source_svm: that connection's own if not given.
    :return: ``volume``, ``svm`` and what was transferred: ``bytes``, ``seconds``.
    """

    template_fields: Sequence[str] = ("site", "source_svm")
    look = "ontap_mlops.ontap.edge_volumes.look"
    cancel = "ontap_mlops.ontap.edge_volumes.abort"

    def __init__(
        self, *, site: Any, source_conn_id: str = "ontap_default", source_svm: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(source_conn_id=source_conn_id, **kwargs)
        self.site = site
        self.source_svm = source_svm

    def execute(self, context: Context) -> Any:
        return self.telling_why(context, lambda: self._at(super(EdgeSiteBringOperator, self).execute, context))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        complete = super().execute_complete
        return self.telling_why(context, lambda: self._at(complete, context, event))

    def _at(self, work: Callable[..., Any], *arguments: Any) -> Any:
        self.ontap_conn_id = self.entry.ontap_conn_id
        return work(*arguments)

    def begin(self, client: Client, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import edge_volumes

        entry, model = self.entry, self.site["model"]
        with self.source_hook.client() as source:
            return edge_volumes.bring(
                client,
                source,
                way=entry.way,
                svm=entry.svm,
                volume=names.edge_volume(model, entry.name),
                source_svm=self.source_hook.svm(self.source_svm),
                source_volume=names.model_volume(model),
                size_bytes=entry.size,
                aggregate=entry.aggregate,
            )

    def finish(self, client: Client, payload: Any, context: Context) -> dict[str, Any]:
        entry = self.entry
        volume = names.edge_volume(self.site["model"], entry.name)
        self.log.info("%s by %s: volume %s:%s is up to date", entry.name, entry.way, entry.svm, volume)
        return {"svm": entry.svm, "volume": volume, "bytes": payload["bytes"], "seconds": payload["seconds"]}


class EdgeSiteVerifyOperator(_OfASite, KindProgramOperator):
    """Read the version where the site's server will read it, and compare its digest with that of home.

    The program ``tasks.edge.arrive`` does so at the place of the site; for a site of way ``sync`` it copies what is not
    there first. Nothing is run for a site that is to serve nothing again.

    :param site: ``site``, ``model``, ``version`` and ``digest``, as a :class:`EdgeStageOperator` names them.
    :param ontap_conn_id: connection to the storage that has the model volume.
    :return: what the program says.
    """

    template_fields: Sequence[str] = (*KindProgramOperator.template_fields, "site")

    def __init__(self, *, site: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.site = site

    def execute(self, context: Context) -> dict[str, Any]:
        return self.telling_why(context, lambda: super(EdgeSiteVerifyOperator, self).execute(context))

    def execute_complete(self, context: Context, *args: Any, **kwargs: Any) -> dict[str, Any]:
        complete = super().execute_complete
        return self.telling_why(context, lambda: complete(context, *args, **kwargs))

    def kind_program(self, context: Context) -> Program | None:
        entry, item = self.entry, self.site
        self.compute = entry.place
        if item["version"] is None:
            return None
        at_site = names.junction_path(names.edge_volume(item["model"], entry.name))
        mounts: dict[str, dict[str, Any]] = {"site": {"svm": entry.svm, "junction_path": at_site}}
        source = []
        if entry.way == edge_sites.SYNC:
            mounts["home"] = {
                "junction_path": names.junction_path(names.model_volume(item["model"])),
                "read_only": True,
            }
            source = [f"--source={{home}}/{FOLDER}"]
        else:
            mounts["site"]["read_only"] = True
        return Program(
            program="tasks.edge.arrive",
            arguments=[
                f"--repository={{site}}/{FOLDER}",
                f"--name={item['model']}",
                f"--version={item['version']}",
                f"--digest={item['digest']}",
                *source,
            ],
            mounts=mounts,
        )


class EdgeSiteServeOperator(_OfASite):
    """Have the site's server serve the version from its volume, and prove it by one inference.

    What it served is written down first. Where loading or the proof fails, it serves that again, and the task fails
    with the server's own text. A site that is put back is left alone where it serves another version by now.

    :param site: ``site``, ``model``, ``version`` and ``digest``, and to put back ``leave``, as a
        :class:`EdgeStageOperator` or :class:`EdgeChangedOperator` names them.
    :param verified: task id of the step that read the version at the site.
    :param health: longest time for the proof's inference, in seconds: part of the health rule.
    :param ready_s: seconds for which a server is waited for: at a new site it comes up once its repository is there.
    :return: ``site``, ``version``, ``before`` and ``seconds`` of the proof.
    """

    template_fields: Sequence[str] = ("site", "health")

    def __init__(
        self,
        *,
        site: Any,
        verified: str,
        health: float | str = 5.0,
        ready_s: float = 60.0,
        mlflow_conn_id: str = "mlflow_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.site = site
        self.verified = verified
        self.health = health
        self.ready_s = ready_s
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        return self.telling_why(context, lambda: self._serve(context))

    def _serve(self, context: Context) -> dict[str, Any]:
        entry, item = self.entry, self.site
        model, number = item["model"], item["version"]
        ti: Any = context["ti"]
        verified = ti.xcom_pull(task_ids=self.verified, map_indexes=ti.map_index) or {}
        server = EdgeServer(entry, ModelVersion.from_json(needed(context, VERSION)), self.ready_s)
        kept = states(model, self.mlflow_conn_id)
        before = server.config()
        returns = "leave" in item
        if returns and _number(before) not in (item["leave"], number):
            raise AirflowFailException(
                f"{entry.name} serves version {_number(before)} of {model} by now, not {item['leave']}, which was to "
                "be put back. It is left alone."
            )
        state = self._begun(kept, before, context)
        try:
            seconds = server.serve(number, verified.get("config"), float(self.health))
        except Exception:
            self._put_back(server, kept, state, before)
            raise
        kept.write(_settled(state) if returns else replace(state, state="serving", at=_now()))
        self.log.info("%s serves version %s of %s; one inference took %.3f s", entry.name, number, model, seconds)
        return {"site": entry.name, "version": number, "before": state.previous, "seconds": seconds}

    def _begun(self, kept: EdgeStates, before: Mapping[str, Any] | None, context: Context) -> EdgeState:
        """Write down what is about to change; an earlier try that may have loaded the version has done so already."""
        item = self.site
        known = kept.read().get(item["site"])
        own = run_key(context)
        if known is not None and (known.version, known.state, known.run_key) == (item["version"], "loading", own):
            return known
        digest = known.digest if known and known.version == _number(before) else ""
        state = _state(item["site"], item["version"], item["digest"], "loading", context)
        state = replace(state, previous=_number(before), previous_digest=digest)
        kept.write(state)
        return state

    def _put_back(
        self, server: EdgeServer, kept: EdgeStates, state: EdgeState, before: Mapping[str, Any] | None
    ) -> None:
        """Must not hide why it failed; where this fails too, ``loading`` stays written down for who comes next."""
        try:
            server.put_back(before, leave=state.version)
            kept.write(_settled(replace(state, version=state.previous, digest=state.previous_digest)))
            self.log.warning("%s serves again what it served before", state.site)
        except Exception:
            self.log.exception("What %s served before is not put back", state.site)


class EdgeChangedOperator(MlopsOperator):
    """Name the sites that this run has had serve another version, to put them back when a stage was not healthy.

    :param what: none of a run that itself puts back.
    :return: for each of them what it returns to (``site``, ``model``, ``version``, ``digest``) and, as ``leave``, what
        it leaves.
    """

    template_fields: Sequence[str] = ("what",)

    def __init__(self, *, what: str = ROLL_OUT, mlflow_conn_id: str = "mlflow_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.what = what
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> list[dict[str, Any]]:
        if self.what == PUT_BACK:
            return []
        version = ModelVersion.from_json(needed(context, VERSION))
        own = run_key(context)
        found = states(version.model, self.mlflow_conn_id).read().values()
        changed = [each for each in found if each.run_key == own and each.state in ("loading", "serving")]
        self.log.info("To put back: %s", ", ".join(each.site for each in changed) or "no site")
        return [_back(each, version.model) for each in changed]


class EdgeServer:
    """The inference server of a site, which loads versions of a model from the repository on its volume."""

    def __init__(self, entry: EdgeSite, version: ModelVersion, ready_s: float = 60.0) -> None:
        self.version = version
        self.model = version.model
        self.kind = _kind(version.model, inference_conn_id=entry.inference_conn_id, ready_timeout_s=ready_s)

    def config(self) -> dict[str, Any] | None:
        """What it serves the model with now; None for nothing. Raises ServiceUnavailable when nobody can tell."""
        self.kind.wait_ready()
        return self.kind.server.config(self.model)

    def serve(self, number: int | None, config: Mapping[str, Any] | None, within_s: float) -> float:
        """Serve the version, or nothing for None; returns the seconds that one inference took.

        Raises ProofFailed for an answer that no model gives, or that took too long.
        """
        if number is None:
            if self.config() is not None:
                self.kind.server.unload(self.model)
            return 0.0
        if not config:
            raise ValueError(f"version {number} of {self.model} was not verified at the site; clear that task first")
        version = replace(self.version, version=number)
        self.kind.load(version, {"config": config})
        self.kind.prove(version, {})  # the first inference may still prepare the model
        began = time.monotonic()
        self.kind.prove(version, {})
        seconds = time.monotonic() - began
        if seconds > within_s:
            raise ProofFailed(
                f"Version {number} of {self.model} took {seconds:.3f} s for one inference, and {within_s:g} s are the "
                "most that the roll-out allows."
            )
        return round(seconds, 4)

    def put_back(self, before: Mapping[str, Any] | None, *, leave: int | None) -> None:
        """Serve what ``before`` says in place of the version ``leave``; nothing where something else serves."""
        now = self.config()
        if now is None or _number(now) != leave:
            return
        if before:
            self.kind.server.load(self.model, before)
        else:
            self.kind.server.unload(self.model)


def chosen(groups: Sequence[str] | str) -> list[EdgeSite]:
    """Return the sites of these groups (a list, or joined by commas), all if none is named. Raises ValueError."""
    groups = groups.split(",") if isinstance(groups, str) else list(groups)
    groups = [group.strip() for group in groups if group.strip()]
    sites = [s for s in edge_sites.edge_sites().values() if not groups or s.group in groups]
    if not sites:
        there = ", ".join(edge_sites.groups()) or "none"
        raise ValueError(f"no edge site is in {', '.join(groups) or 'edge_sites.yaml'}; the groups are: {there}")
    return sites


def _item(site: str, model: str, version: int | None, digest: str) -> dict[str, Any]:
    return {"site": site, "model": model, "version": version, "digest": digest}


def _serves(state: EdgeState | None, version: int) -> bool:
    return state is not None and state.version == version and state.state in ("serving", "put back")


def _settled(state: EdgeState) -> EdgeState:
    """The record of a site that was put back: there is nothing further to return to."""
    return replace(state, state="put back", at=_now(), previous=None, previous_digest="")


def _can_return(state: EdgeState) -> bool:
    """Whether it is known what the site served before; None counts where it is known that it served nothing."""
    return state.state in ("loading", "serving") or (state.state == "behind" and state.previous is not None)


def _state(site: str, version: int | None, digest: str, state: str, context: Context) -> EdgeState:
    return EdgeState(site=site, version=version, digest=digest, state=state, run_key=run_key(context), at=_now())


def _back(state: EdgeState, model: str) -> dict[str, Any]:
    """What a site returns to, and what it leaves."""
    return {**_item(state.site, model, state.previous, state.previous_digest), "leave": state.version}


def _number(config: Mapping[str, Any] | None) -> int | None:
    served = served_versions(config or {})
    return served[0] if served else None


def _said(context: Context, group: str) -> dict[str, dict[str, Any]]:
    """What the tasks of a group's sites have said of their failure, by site."""
    said = [each for step in ("bring", "verify", "serve") for each in _all(context, f"{group}.{step}", WHY)]
    return {each["site"]: each for each in said}


def _all(context: Context, task_id: str, key: str = "return_value") -> list[dict[str, Any]]:
    """What every instance of a mapped task has told under this key."""
    told = result_of(context, task_id, key)
    return [told] if isinstance(told, dict) else [each for each in told or () if each]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
