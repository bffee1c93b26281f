"""A program's flags: a value is what the flag says, else what the run says (RUN_FILE), else the flag's default.

    flags = Flags(__doc__)
    flags.data("folder or s3://bucket/prefix with a folder per class")
    flags.output("folder for checkpoint and model")
    flags.add_argument("--seed", type=int, default=1)     # else run.parameters["seed"]
    flags.tracking()                                      # --experiment, --run-name, --tag
    options = flags.parse()

A run's parameter of the flag's name counts where it is not null. Other facts of the run are named by ``from_run``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from tasks.common import run_file
from tasks.common.program import BadInput
from tasks.common.run_file import RunFile

if TYPE_CHECKING:
    from tasks.common.tracking import Run

FromRun = Callable[[RunFile], Any]


@dataclass(frozen=True)
class _Flag:
    action: argparse.Action
    default: Any
    required: bool
    several: bool
    from_run: FromRun

    @property
    def name(self) -> str:
        return self.action.option_strings[0] if self.action.option_strings else str(self.action.metavar)


class Flags(argparse.ArgumentParser):
    """A parser of flags that reads RUN_FILE. ``parse`` takes the place of ``parse_args``."""

    def __init__(self, doc: str | None) -> None:
        self._flags: list[_Flag] = []
        super().__init__(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)

    def add_argument(self, *names: str, from_run: FromRun | None = None, **settings: Any) -> argparse.Action:  # type: ignore[override]
        """As argparse's; ``from_run`` gives the value of a flag that is not there, or None.

        Without ``from_run`` it is the run's parameter of the flag's name.
        """
        required = bool(settings.pop("required", False))
        several = settings.get("action") == "append" or settings.get("nargs") in ("*", "+")
        if settings.get("nargs") == "+" and not names[0].startswith("-"):
            required, settings["nargs"] = True, "*"
        action = super().add_argument(*names, **settings)
        if action.dest != "help":
            self._flags.append(_Flag(action, action.default, required, several, from_run or _parameter(action.dest)))
            action.default = argparse.SUPPRESS
        return action

    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message}; see --help.")

    def data(self, help: str, from_run: FromRun = lambda run: run.data) -> None:
        self.add_argument("--data", required=True, help=help, from_run=from_run)

    def output(self, help: str, from_run: FromRun = lambda run: run.run_folder) -> None:
        self.add_argument("--output", required=True, help=help, from_run=from_run)

    def tracking(self, part: Callable[[RunFile], str | None] = lambda run: run.step) -> None:
        """How the run is called in MLflow: by its key and ``part`` of it; "" is all of it, None leaves it open."""
        experiment, name = "in MLflow; by default the DAG's name", "in MLflow, unique to this run"
        self.add_argument("--experiment", help=experiment, from_run=lambda run: run.experiment)
        self.add_argument("--run-name", help=name, from_run=lambda run: run.mlflow_name(part(run)))
        self.add_argument(
            "--tag",
            dest="tags",
            action="append",
            metavar="KEY=VALUE",
            help="for the MLflow run, beside the run's own",
            from_run=lambda run: [],
        )

    def parse(self, arguments: Sequence[str] | None = None) -> argparse.Namespace:
        """All values by the flags' names; ``run`` is the RunFile, or None; ``tags`` a mapping.

        Raises BadInput for a value of RUN_FILE that the flag would refuse, and where a needed one is nowhere.
        """
        run = run_file.read()
        given = self.parse_args(arguments)
        values = {flag.action.dest: self._value(flag, given, run) for flag in self._flags}
        if "tags" in values:
            from tasks.common.tracking import parse_tags

            values["tags"] = {**(run.tags if run else {}), **parse_tags(values["tags"] or [])}
        return argparse.Namespace(run=run, **values)

    def _value(self, flag: _Flag, given: argparse.Namespace, run: RunFile | None) -> Any:
        value = getattr(given, flag.action.dest, None)
        if value is not None and value != []:
            return value
        told = flag.from_run(run) if run else None
        if told is not None:
            return _converted(flag, told)
        if flag.required and flag.default is None:
            where = "and RUN_FILE does not say it either" if run else "and there is no RUN_FILE that would say it"
            raise BadInput(f"{flag.name} is not given, {where}; see --help.")
        return flag.default


def mlflow_run(options: argparse.Namespace, otherwise: str) -> Run:
    """Return the MLflow run that the flags of ``tracking`` name; ``otherwise`` is its name when nobody named it."""
    from tasks.common.tracking import EXPERIMENT, Run

    tags = {**(options.run.page_tags if options.run else {}), **options.tags}
    return Run(options.run_name or otherwise, experiment=options.experiment or EXPERIMENT, tags=tags)


def _parameter(name: str) -> FromRun:
    return lambda run: run.parameters.get(name)


def _converted(flag: _Flag, told: Any) -> Any:
    """Return a value of RUN_FILE as the flag would have read it."""
    if flag.several:
        return [_one(flag, item) for item in (told if isinstance(told, list) else [told])]
    return _one(flag, told)


def _one(flag: _Flag, told: Any) -> Any:
    action = flag.action
    try:
        value = _read(action, told)
    except (ValueError, TypeError, argparse.ArgumentTypeError):
        raise BadInput(f"RUN_FILE gives {told!r} for {flag.name}, which that flag does not take.") from None
    if action.choices and value not in action.choices:
        raise BadInput(f"RUN_FILE gives {told!r} for {flag.name}; choose from {', '.join(map(str, action.choices))}.")
    return value


def _read(action: argparse.Action, told: Any) -> Any:
    """Read a value as a flag's. Raises TypeError for one that has no form in which it could stand behind a flag."""
    if isinstance(told, bool) and action.nargs == 0:
        return told
    if isinstance(told, bool | dict | list) or action.nargs == 0:
        raise TypeError
    return action.type(str(told)) if callable(action.type) else str(told)
