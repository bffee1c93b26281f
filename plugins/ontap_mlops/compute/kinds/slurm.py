"""A Slurm cluster, whose commands are on this host or on another that an SSH connection names."""

from __future__ import annotations

import codecs
import contextlib
import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from ontap_mlops import settings
from ontap_mlops.compute import connections
from ontap_mlops.compute.kinds import _slurm_scripts as scripts
from ontap_mlops.compute.kinds import _slurm_verdict as verdict
from ontap_mlops.compute.kinds.base import BasePlace, base_folder
from ontap_mlops.compute.workload import Mount, PlaceRefused, PlaceUnavailable, Resources, State, Status, Workload
from ontap_mlops.config_file import Texts
from ontap_mlops.projects import config as known_projects
from ontap_mlops.projects.config import Project
from ontap_mlops.projects.slurm_queue import SlurmQueue, Terms
from ontap_mlops.slurm.command import Host, Slurm, SshHost, ThisHost
from ontap_mlops.slurm.errors import SlurmPermanentError, SlurmTemporaryError
from ontap_mlops.slurm.jobs import Jobs
from ontap_mlops.slurm.looks import Look

_LOG_CHUNK = 1 << 20
_RESULT_LIMIT = 16 << 20
PREEMPTIONS = 3  # of a job that Slurm would not start again by itself, until it is called failed


class SlurmPlace(BasePlace):
    """A cluster. Folders are those of its nodes, and of the host that has Slurm's commands.

    ``connection``: of type ``ssh``, to the host with Slurm's commands; this host if not given. ``folder`` is shared by
    that host and the nodes: scripts, logs and results of jobs lie there.
    """

    keeps_ended: ClassVar[bool] = False  # a shared folder is not for what nobody asks for any more

    kind: Literal["slurm"]
    folder: str
    connection: str = ""
    slurm_conf: str = ""
    commands: str = ""
    account: str = ""
    partition: str = ""
    qos: str = ""
    gpu: str = "gpu"
    shard: str = "shard"
    shards_per_gpu: Annotated[int, Field(ge=0)] = 0
    options: Texts = ()
    namespace_roots: dict[str, str] = {}
    python: str = "python3"
    working_directory: str = ""
    prepare: Texts = ()
    container: Texts = ()
    time_limit_s: Annotated[float, Field(gt=0)] | None = None
    grace_s: Annotated[float, Field(ge=0)] = 30.0
    keep_days: Annotated[float, Field(ge=0)] = 30.0

    def runner(self) -> SlurmRunner:
        return SlurmRunner(place=self, jobs=Jobs(self.cluster(), self._path(self.folder)))

    def cluster(self) -> Slurm:
        """Return its commands, for whoever asks more of it than to run programs."""
        host: Host = SshHost(self.connection, connections.ssh_client) if self.connection else ThisHost()
        return Slurm(host, self._path(self.slurm_conf), self.commands)

    def projects(self) -> SlurmQueue:
        return SlurmQueue(self.cluster(), known_projects.projects())

    def project_of(self, workload: Workload) -> Project | None:
        """Return the project whose quota decides; None where the place itself names account or QOS."""
        known = None if self.account or self.qos or not workload.project else known_projects.configured()
        return known.find(workload.project) if known and workload.project else None

    def roots(self) -> dict[str, str]:
        return {svm: self._path(root) for svm, root in self.namespace_roots.items()}

    def directory(self) -> str:
        """Where programs start: where ours lie, unless the place says otherwise."""
        here = settings.programs_dir() if not self.connection else None
        return self._path(self.working_directory or (str(here.resolve()) if here else self.folder))

    def _path(self, text: str) -> str:
        """On this host relative folders start at the folder of ``compute.yaml``; another host's must be whole."""
        if not text or text.startswith("/"):
            return text.rstrip("/") or text
        if self.connection:
            raise PlaceRefused(f"{text!r} is a folder of another host; give its whole path, such as /shared/jobs")
        return str((base_folder() / text).resolve())


@dataclass(frozen=True, kw_only=True)
class SlurmRunner:
    """See ``ontap_mlops.slurm.jobs`` for the folder of each workload, and how a dead worker's job is found again."""

    place: SlurmPlace
    jobs: Jobs
    host: None = field(default=None, init=False)

    def submit(self, workload: Workload, *, fresh: bool = False) -> str:
        place = self.place
        if workload.time_limit_s is None:
            workload = _with_limit(workload, place.time_limit_s)
        folders = {key: self._folder_of(key, mount, workload) for key, mount in workload.mounts.items()}
        home = f"{self.jobs.folder}/{workload.name}"
        with _translated():
            terms = self._terms(workload, fresh)
        if terms.launcher:  # CPUs, memory and the GPU are those of the holder
            workload = dataclasses.replace(workload, resources=Resources())
        files = scripts.files(
            workload,
            launcher=terms.launcher,
            home=home,
            command=self._command(workload, folders),
            prepare=place.prepare,
            working_directory=place.directory(),
            environment=self._environment(workload, home),
            folders=folders,
            grace_s=place.grace_s,
        )
        with _translated():
            self.jobs.submit(
                workload.name,
                files,
                self._options(workload, terms),
                fresh=fresh,
                mounts=list(folders.values()),
                keep_days=place.keep_days,
            )
        return workload.name

    def status(self, name: str) -> Status:
        """A job that gave way to another is pending again, not failed; its message says how often it did."""
        with _translated():
            look = self.jobs.look(name)
            if look is None:
                return Status(state=State.MISSING)
            if look.state == "PREEMPTED" and not look.stopping and self._put_back(look):
                return verdict.waiting(look, self.jobs.preemptions(look.job))
            if look.waiting:
                self._settle()
                return verdict.waiting(look, self.jobs.preemptions(look.job) if look.restarts else 0)
            if look.active:
                return Status(state=State.RUNNING, stopping=look.stopping)
            ending = self.jobs.ending(name)
            return verdict.ended(look, ending, self._limits(name, look))

    def _settle(self) -> None:
        """While something waits, let what waits beyond a quota claim it as soon as it has room; twice a minute."""
        if not self.place.account and not self.place.qos and known_projects.configured():
            self.place.projects().settle_now_and_then()

    def logs(self, name: str, cursor: str | None = None) -> tuple[str, str | None]:
        """At most one mebibyte of text, never cutting a character. The cursor is an offset in bytes."""
        offset = int(cursor or 0)
        with _translated():
            data = self.jobs.read(name, "log", offset, _LOG_CHUNK)
        if not data:
            return "", cursor
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        text = decoder.decode(data)
        return text, str(offset + len(data) - len(decoder.getstate()[0]))

    def result(self, name: str) -> dict[str, Any]:
        with _translated():
            data = self.jobs.read(name, "result.json", 0, _RESULT_LIMIT)
        if not data:
            return {}
        try:
            value = json.loads(data)
        except ValueError as error:
            raise ValueError(f"workload {name} wrote a result that is not JSON: {error}") from None
        if not isinstance(value, dict):
            raise ValueError(f"workload {name} wrote a result that is not a JSON object")
        return value

    def cancel(self, name: str) -> None:
        with _translated():
            self.jobs.cancel(name, self.place.grace_s)

    def remove(self, name: str) -> None:
        with _translated():
            look = self.jobs.look(name)
            if look is not None and look.active:
                raise PlaceUnavailable(f"workload {name} still runs as job {look.job}; cancel it before removing it")
            self.jobs.remove(name)

    def _put_back(self, look: Look) -> bool:
        """Where preemption cancels, Slurm does not start the job again by itself; ask it to, a few times."""
        if self.jobs.preemptions(look.job) >= PREEMPTIONS:
            return False
        try:
            self.jobs.requeue(look.job)
        except SlurmPermanentError:
            return False
        return True

    def _limits(self, name: str, look: Look) -> verdict.Limits:
        try:
            spec = json.loads(self.jobs.read(name, "spec.json", 0, _RESULT_LIMIT) or b"{}")
        except ValueError:
            spec = {}
        memory = f"{spec['memory_gib']:g} GiB" if spec.get("memory_gib") else look.memory
        return verdict.Limits(time_s=spec.get("time_limit_s"), memory=memory)

    def _terms(self, workload: Workload, fresh: bool) -> Terms:
        """On which terms its project lets it in. One that is there already is joined on those it has."""
        place, resources = self.place, workload.resources
        project = place.project_of(workload)
        if project is None or (not fresh and self.jobs.look(workload.name) is not None):
            return Terms(())
        if resources.share and workload.processes > 1:
            raise PlaceRefused(
                f"workload {workload.name} asks for {resources.share:g} of a GPU for each of {workload.processes} "
                "processes; give each a whole GPU, or use one process"
            )
        gpus = resources.share or float(resources.whole_gpus * workload.processes)
        return place.projects().admit(project, gpus, interactive=workload.interactive)

    def _options(self, workload: Workload, terms: Terms) -> list[str]:
        place = self.place
        account = "" if terms.options else place.account or workload.project
        asked = {"account": account, "partition": place.partition, "qos": place.qos}
        named = [*terms.options, *(f"--{option}={value}" for option, value in asked.items() if value)]
        needs = scripts.options(workload, gpu=place.gpu, shard=place.shard, shards_per_gpu=place.shards_per_gpu)
        return [*named, *needs, *place.options]

    def _command(self, workload: Workload, folders: Mapping[str, str]) -> list[str]:
        if any("{image}" in part for part in self.place.container) and not workload.image:
            raise PlaceRefused(
                f"workload {workload.name} names no image, which the place's container: asks for as {{image}}"
            )
        container = [part.replace("{image}", workload.image or "") for part in self.place.container]
        return [*container, self.place.python, "-m", workload.program, *workload.arguments_at(folders)]

    def _environment(self, workload: Workload, home: str) -> dict[str, str]:
        files = {"RESULT_FILE": f"{home}/result.json", "PROGRESS_FILE": f"{home}/progress.json"}
        if workload.run is not None:
            files["RUN_FILE"] = f"{home}/run.json"
        threads = {"OMP_NUM_THREADS": str(max(1, int(workload.resources.cpus)))} if workload.resources.cpus else {}
        own = {**self.place.environment, **workload.environment, **workload.secrets}
        return {**threads, **own, **files, "PYTHONUNBUFFERED": "1"}

    def _folder_of(self, key: str, mount: Mount, workload: Workload) -> str:
        asked = f"workload {workload.name} mounts {mount.svm}:{mount.junction_path} as {{{key}}}"
        roots = self.place.roots()
        root = roots.get(mount.svm, roots.get("default"))
        if root is None:
            raise PlaceRefused(
                f"{asked}, but compute.yaml does not say where the namespace of SVM {mount.svm!r} is mounted on the "
                f"nodes (known: {', '.join(sorted(roots)) or 'none'}); add it to the place's namespace_roots"
            )
        relative = mount.junction_path.strip("/")
        if not mount.junction_path.startswith("/") or ".." in relative.split("/"):
            raise PlaceRefused(f"{asked}, which is not a junction path; give one such as /tyre_images")
        return f"{root}/{relative}"


def _with_limit(workload: Workload, limit_s: float | None) -> Workload:
    return dataclasses.replace(workload, time_limit_s=limit_s)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Slurm's errors as those of places."""
    try:
        yield
    except SlurmTemporaryError as error:
        raise PlaceUnavailable(str(error)) from None
    except SlurmPermanentError as error:
        raise PlaceRefused(str(error)) from None
