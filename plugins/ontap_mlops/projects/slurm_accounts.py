"""Projects as Slurm has them: an account and a QOS for each, and one QOS for all that runs beyond a quota.

What runs under a project's own QOS is limited to its quota and preempts what runs under the QOS for the rest, which is
requeued. Everything made here carries our mark in its description, and nothing without it is changed or removed.
"""

from __future__ import annotations

import getpass
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ontap_mlops.projects.changes import Change, ProjectsRefused
from ontap_mlops.projects.config import Project, Projects
from ontap_mlops.slurm.command import Slurm

MARK = "ontap-mlops"
OVER = "mlops-over"
PRIORITY, OVER_PRIORITY = 100, 90  # of QOS: quotas come first, and the rest keeps room below for its own order


def qos_of(project: str) -> str:
    """Return the name of the QOS for what is within this project's quota."""
    return f"mlops-{project}"


@dataclass(frozen=True)
class SlurmFacts:
    """What the cluster has: accounts and QOS by name, users by account, and settings as ``scontrol`` words them."""

    accounts: Mapping[str, Mapping[str, str]]
    qos: Mapping[str, Mapping[str, str]]
    associations: Mapping[tuple[str, str], Mapping[str, str]]
    settings: Mapping[str, str]
    gpus: int


def read(slurm: Slurm) -> SlurmFacts:
    """Raises SlurmError."""
    accounts = _table(slurm, "account", "Account", "Description")
    qos = _table(slurm, "qos", "Name", "Description", "Priority", "Preempt", "PreemptMode", "GrpTRES")
    found = _table(slurm, "assoc", "Account", "User", "Share", "QOS", "DefaultQOS", "GrpTRES")
    said = slurm.say("reading Slurm's settings", "scontrol", "show", "config")
    nodes = slurm.say("reading Slurm's nodes", "scontrol", "--oneliner", "show", "nodes")
    return SlurmFacts(
        {row["Account"]: row for row in accounts},
        {row["Name"]: row for row in qos},
        {(row["Account"], row["User"]): row for row in found},
        dict(re.findall(r"^(\w+)\s*= (.*?)\s*$", said, re.MULTILINE)),
        sum(int(count) for count in re.findall(r"\bCfgTRES=\S*\bgres/gpu=(\d+)", nodes)),
    )


def _table(slurm: Slurm, what: str, *columns: str) -> list[dict[str, str]]:
    command = ("sacctmgr", "--noheader", "--parsable2", "show", what, f"format={','.join(columns)}")
    lines = slurm.say(f"listing Slurm's {what}s", *command).splitlines()
    return [dict(zip(columns, line.split("|"), strict=True)) for line in lines if line]


def check(projects: Projects, facts: SlurmFacts) -> None:
    """Raises ProjectsRefused where this cluster cannot hold to quotas, or has other GPUs than the file says."""
    if facts.gpus != projects.gpus:
        raise ProjectsRefused(
            f"projects.yaml guarantees {projects.gpus} GPUs and this Slurm has {facts.gpus}: correct gpus and quotas"
        )
    wanted = {
        "PreemptType": ("preempt/qos", "quotas take back their GPUs by QOS"),
        "AccountingStorageEnforce": ("qos", "without limits and QOS enforced nobody's quota holds"),
        "AccountingStorageTRES": ("gres/gpu", "GPUs are not counted otherwise"),
    }
    for key, (needed, why) in wanted.items():
        if needed not in facts.settings.get(key, ""):
            raise ProjectsRefused(
                f"this Slurm says {key}={facts.settings.get(key) or '(nothing)'}, and {needed} is needed in it, since "
                f"{why}; set it in slurm.conf and restart slurmctld"
            )
    if not _number(facts.settings.get("PriorityWeightQOS", "")):
        raise ProjectsRefused(
            "this Slurm says PriorityWeightQOS=0, so that waiting jobs within a quota would not come before others; "
            "set it in slurm.conf, such as to 10000"
        )


def plan(projects: Projects, slurm: Slurm, facts: SlurmFacts) -> list[Change]:
    """Return what is to be done; nothing where Slurm already has the projects. Raises ProjectsRefused."""
    check(projects, facts)
    made = _Planner(slurm, facts)
    made.qos(OVER, {"Priority": str(OVER_PRIORITY), "Preempt": "", "PreemptMode": "requeue", "GrpTRES": ""})
    for project in projects.all():
        made.project(project)
    for name in sorted(facts.accounts):
        if _is_ours(facts.accounts[name]) and name not in projects.projects:
            made.remove(name)
    return made.changes


class _Planner:
    def __init__(self, slurm: Slurm, facts: SlurmFacts) -> None:
        self.slurm, self.facts = slurm, facts
        self.changes: list[Change] = []

    def qos(self, name: str, wanted: Mapping[str, str]) -> None:
        found = self.facts.qos.get(name)
        if found is None:
            given = [f"{key}={value}" for key, value in wanted.items() if value]
            self._add(f"make QOS {name} ({', '.join(given)})", "add", "qos", name, f"Description={MARK}", *given)
            return
        self._needs_mark("QOS", name, found)
        self._modify("qos", name, _differences(wanted, found))

    def project(self, project: Project) -> None:
        quota = {"Priority": str(PRIORITY), "Preempt": OVER, "GrpTRES": f"gres/gpu={project.quota}"}
        self.qos(qos_of(project.name), quota)
        self.account(project)
        for user in project.members or (getpass.getuser(),):
            self.member(project.name, user)
        if project.members:
            self._leave(project)

    def account(self, project: Project) -> None:
        limit = f"gres/gpu={project.limit}" if project.limit else ""
        wanted = {"Share": f"{max(1, round(project.weight))}", "GrpTRES": limit}
        found = self.facts.accounts.get(project.name)
        if found is None:
            given = [f"{_SET.get(key, key)}={value}" for key, value in wanted.items() if value]
            told = f"make account {project.name} ({', '.join(given)})"
            self._add(told, "add", "account", project.name, f"Description={MARK}", f"Organization={MARK}", *given)
            return
        self._needs_mark("account", project.name, found)
        changed = _differences(wanted, self.facts.associations.get((project.name, ""), {}))
        self._modify("account", project.name, changed)

    def member(self, account: str, user: str) -> None:
        wanted = {"QOS": f"{qos_of(account)},{OVER}", "DefaultQOS": qos_of(account)}
        found = self.facts.associations.get((account, user))
        if found is None:
            given = [f"{key}={value}" for key, value in wanted.items()]
            self._add(f"let {user} use account {account}", "add", "user", user, f"Account={account}", *given)
            return
        changed = _differences(wanted, found)
        if changed:
            told = f"give {user} in account {account} {_listed(changed)}"
            where = ("where", f"Name={user}", f"Account={account}")
            self._add(told, "modify", "user", *where, "set", *_assignments(changed))

    def remove(self, account: str) -> None:
        self._add(f"remove account {account}, which no project has any more", "delete", "account", f"Name={account}")
        name = qos_of(account)
        if _is_ours(self.facts.qos.get(name, {})):
            self._add(f"remove QOS {name}", "delete", "qos", f"Name={name}")

    def _leave(self, project: Project) -> None:
        for account, user in self.facts.associations:
            if account == project.name and user and user not in project.members:
                where = ("where", f"Name={user}", f"Account={account}")
                self._add(f"let {user} use account {account} no more", "delete", "user", *where)

    def _needs_mark(self, what: str, name: str, found: Mapping[str, str]) -> None:
        if not _is_ours(found):
            raise ProjectsRefused(
                f"this Slurm has {what} {name} already, which was not made from projects.yaml (its description is "
                f"{found.get('Description')!r}); give the project another name, or set the description to {MARK}"
            )

    def _modify(self, kind: str, name: str, changed: Mapping[str, str]) -> None:
        if changed:
            told = f"set {_listed(changed)} of {'QOS' if kind == 'qos' else kind} {name}"
            self._add(told, "modify", kind, "where", f"Name={name}", "set", *_assignments(changed))

    def _add(self, sentence: str, *command: str) -> None:
        run = partial(self.slurm.say, sentence, "sacctmgr", "--immediate", *command)
        self.changes.append(Change(sentence, run))


_SET = {"Share": "Fairshare"}  # what `sacctmgr show` calls otherwise than `sacctmgr modify`


def _is_ours(row: Mapping[str, Any]) -> bool:
    return row.get("Description") == MARK


def _differences(wanted: Mapping[str, str], found: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in wanted.items() if _set_of(value) != _set_of(found.get(key, ""))}


def _set_of(value: str) -> set[str]:
    return {part for part in value.lower().split(",") if part}


def _assignments(changed: Mapping[str, str]) -> list[str]:
    """-1 takes a limit away."""
    return [
        f"{_SET.get(key, key)}={value or ('gres/gpu=-1' if key == 'GrpTRES' else '')}" for key, value in changed.items()
    ]


def _listed(changed: Mapping[str, str]) -> str:
    return ", ".join(_assignments(changed))


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
