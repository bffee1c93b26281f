"""How a task tells people something: in its log, on lines that a page shows whole, and as the note of its run."""

from __future__ import annotations

import functools
import inspect
import logging
import re
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk.exceptions import (
    AirflowNotFoundException,
    AirflowRescheduleException,
    AirflowSkipException,
    DagRunTriggerException,
    DownstreamTasksSkipped,
)

from ontap_mlops.operators import log_context

if TYPE_CHECKING:
    from airflow.sdk import Context

WIDTH = 100  # characters; Airflow's page of a log breaks no line
NOTE_LIMIT = 1000  # characters that Airflow takes
NOTE_WAIT_S = 10.0
_SENTENCE_END = re.compile(r"(?<=[.?!])\s+(?=[A-Z])")
# Not failures, but how a task tells Airflow what comes next.
_SIGNALS = (AirflowSkipException, AirflowRescheduleException, DagRunTriggerException, DownstreamTasksSkipped)

log = logging.getLogger(__name__)


def lines(text: str) -> list[str]:
    """Break a text into lines of at most ``WIDTH`` characters; each sentence begins a new one, no word is cut."""
    sentences = [part for line in text.strip().splitlines() for part in _SENTENCE_END.split(line.strip()) if part]
    wrapper = textwrap.TextWrapper(WIDTH, break_long_words=False, break_on_hyphens=False)
    return [line for sentence in sentences for line in wrapper.wrap(sentence)]


def page_of(operator: type) -> str:
    """Return what an operator does, for the page of a task: its docstring up to the parameters, as Markdown."""
    text = inspect.cleandoc(operator.__doc__ or "")
    text = re.split(r"^:\w+", text, maxsplit=1, flags=re.MULTILINE)[0].strip()
    text = re.sub(r":\w+:`~?([^`<]+?)`", r"`\1`", text)
    return text.replace("``", "`")


def add_note(context: Context, sentence: str) -> None:
    """Add a sentence to the note of the DAG run, which its page and the list of runs show.

    A task can write a note through Airflow's REST API alone. Nothing happens without the connection ``airflow_api``,
    and a note that cannot be written fails no task.
    """
    from ontap_mlops.hooks.airflow_rest import AirflowRest
    from ontap_mlops.hooks.rest import ServiceError

    run = context["dag_run"]
    path = f"/dags/{quote(run.dag_id, safe='')}/dagRuns/{quote(run.run_id, safe='')}"
    airflow = AirflowRest(may="edit runs", timeout_s=NOTE_WAIT_S)
    try:
        before = airflow.call("GET", path, asked=f"read run {run.run_id}")[1].get("note") or ""
        if sentence in before:  # of an earlier try
            return
        note = f"{before}\n\n{sentence}".strip()[:NOTE_LIMIT]
        airflow.call(
            "PATCH", f"{path}?update_mask=note", asked=f"note something on run {run.run_id}", json={"note": note}
        )
    except AirflowNotFoundException:
        log.debug("No note is written: connection %s is not defined", airflow.api_conn_id)
    except ServiceError as error:
        log.info("The run gets no note: %s", error)


def told(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let a method of an operator, when it fails, log why in readable lines above the stack that Airflow logs.

    Where logs are JSON, whatever it logs carries run, task and data (see ``log_context``).
    """

    @functools.wraps(method)
    def telling(self: Any, *args: Any, **kwargs: Any) -> Any:
        with log_context.of_task(kwargs.get("context", args[0] if args else None)):
            try:
                return method(self, *args, **kwargs)
            except Exception as error:
                _tell_once(self.log, error)
                raise

    return telling


def _tell_once(to: Any, error: Exception) -> None:
    """A subclass may call the same method of its base; a text of one word is left to the stack."""
    text = str(error)
    if isinstance(error, _SIGNALS) or getattr(error, "_told", False) or " " not in text:
        return
    for line in lines(text):
        to.error("%s", line)
    error._told = True  # type: ignore[attr-defined]
