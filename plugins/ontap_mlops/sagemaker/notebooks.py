"""Notebook instances: started for one run, stopped after it, each change seen to its end."""

from __future__ import annotations

from typing import Any

from ontap_mlops.clouds import errors
from ontap_mlops.sagemaker.calls import call, found

RUN = "ontap-mlops/run"
"""Tag that says for which run an instance was started; empty when it was stopped again."""
_RESTING = ("Stopped", "Failed")


def describe(client: Any, name: str) -> dict[str, Any] | None:
    return found(
        client, "describe_notebook_instance", asked=f"describe notebook instance {name!r}", NotebookInstanceName=name
    )


def start(client: Any, name: str, run: str) -> None:
    """Mark it for the run; ``look`` starts it when it has stopped.

    Raises NotFound, and BadState for one that runs already: somebody works in it, and it would be stopped under them.
    """
    facts = _needed(client, name)
    status, holder = facts["NotebookInstanceStatus"], _holder(client, facts)
    if status in ("InService", "Pending") and holder != run:
        who = f"for run {holder}" if holder else "not by us"
        raise errors.BadState(
            f"Notebook instance {name!r} is {status} already, started {who}: stop it, or name another one. It is left "
            "as it is."
        )
    _mark(client, facts, run)


def look(client: Any, *, name: str, wanted: str) -> dict[str, Any]:
    """One look at an instance on its way to ``InService`` or ``Stopped``, and the step that is due.

    A stop is done when SageMaker says Stopped (or Failed, or that there is none): until then it costs.
    """
    facts = describe(client, name) if wanted == "Stopped" else _needed(client, name)
    status = facts["NotebookInstanceStatus"] if facts else "gone"
    if wanted == "Stopped":
        done = status in (*_RESTING, "gone")
        if done and facts:
            _mark(client, facts, "")
    else:
        done = status == wanted
        if status == "Failed":
            reason = (facts or {}).get("FailureReason") or "no reason given"
            raise errors.BadState(f"Notebook instance {name!r} does not start: {reason}.")
    if status == "Deleting" and not done:
        raise errors.BadState(f"Notebook instance {name!r} is being deleted.")
    if not done and status == "Stopped":
        call(client, "start_notebook_instance", asked=f"start notebook instance {name!r}", NotebookInstanceName=name)
    elif not done and status == "InService":
        call(client, "stop_notebook_instance", asked=f"stop notebook instance {name!r}", NotebookInstanceName=name)
    return {"done": done, "payload": {"name": name, "state": status}, "lines": [f"Notebook instance {name}: {status}"]}


def is_of(client: Any, name: str, run: str) -> bool:
    """Whether it was started for this run; False when there is none."""
    facts = describe(client, name)
    return facts is not None and _holder(client, facts) == run


def _needed(client: Any, name: str) -> dict[str, Any]:
    facts = describe(client, name)
    if facts is None:
        raise errors.NotFound(
            f"SageMaker in {client.meta.region_name} has no notebook instance {name!r}; make it there first, or check "
            "the name and the region."
        )
    return facts


def _holder(client: Any, facts: dict[str, Any]) -> str:
    asked = f"list the tags of notebook instance {facts['NotebookInstanceName']!r}"
    listed = call(client, "list_tags", "Tags", asked=asked, ResourceArn=facts["NotebookInstanceArn"])
    return {tag["Key"]: tag["Value"] for tag in listed}.get(RUN, "")


def _mark(client: Any, facts: dict[str, Any], run: str) -> None:
    asked = f"tag notebook instance {facts['NotebookInstanceName']!r}"
    call(client, "add_tags", asked=asked, ResourceArn=facts["NotebookInstanceArn"], Tags=[{"Key": RUN, "Value": run}])
