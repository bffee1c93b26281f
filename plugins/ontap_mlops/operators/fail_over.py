"""The first step of a fail over: see how the mirrors stand, and say which of the steps after it are left to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from ontap_mlops.operators import telling
from ontap_mlops.operators.base import OntapPairOperator
from ontap_mlops.operators.context import needed
from ontap_mlops.operators.copies import DISCARD, REFUSE

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.ontap.fail_over import Standing

LOOK = "look"
DIRECTIONS = {"to_site": "To the site", "back": "Back to home"}
HOW = {"planned": "Planned: the last update first", "unplanned": "Home is lost: with what the copy has"}
ONLY_AT_HOME = {REFUSE: "Do not lose it: stop and name it", DISCARD: "Discard it, and name it in the note of the run"}


class FailOverLookOperator(OntapPairOperator):
    """See how the mirror to a site and the one back stand, and decide which steps of a fail over are left.

    Fails with a sentence, and nothing has changed, where they stand in a way from which it cannot be done. The steps
    are the task ids of the DAG ``fail_over``, whose tasks skip themselves where they are not among them (see
    :func:`when_left`). ``ontap_conn_id`` leads to the site, ``source_conn_id`` to home.

    :param dataset: name of the dataset.
    :param site: name of the site.
    :param volume: name of the dataset's volume, at home and at the site.
    :param svm: of the site; the connection's own if not given.
    :param source_svm: of home; that of ``source_conn_id`` if not given.
    :param direction: ``to_site`` or ``back``.
    :param how: to the site ``planned`` or ``unplanned``; an unplanned one does without home.
    :return: ``steps`` (task ids), ``forward`` and ``reverse`` (states of the mirrors) and ``lag_s`` (seconds, how
        old the copy is; None where nobody knows).
    """

    template_fields: Sequence[str] = ("dataset", "site", "volume", "svm", "source_svm", "direction", "how")

    def __init__(
        self,
        *,
        dataset: str,
        site: str,
        volume: str,
        direction: str,
        how: str = "planned",
        svm: str | None = None,
        source_svm: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dataset = dataset
        self.site = site
        self.volume = volume
        self.direction = direction
        self.how = how
        self.svm = svm
        self.source_svm = source_svm

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import fail_over

        with self.hook.client() as client, self.source_hook.client() as home:
            standing = fail_over.look(
                client,
                home,
                dataset=self.dataset,
                site=self.site,
                svm=self.hook.svm(self.svm),
                home_svm=self.source_hook.svm(self.source_svm),
                volume=self.volume,
            )
        steps = fail_over.steps(standing, direction=self.direction, how=self.how)
        self._tell(context, standing, steps)
        forward, reverse = standing.forward, standing.reverse
        return {
            "steps": steps,
            "forward": forward.state if forward else None,
            "reverse": reverse.state if reverse else None,
            "lag_s": forward.lag_s if forward else None,
        }

    def _tell(self, context: Context, standing: Standing, steps: list[str]) -> None:
        self.log.info("%s", standing)
        self.log.info("Left to do: %s", ", ".join(steps) or "nothing")
        if "break_off" in steps and "update" not in steps:
            lag_s = standing.forward.lag_s if standing.forward else None
            age = "time that nobody knows" if lag_s is None else f"{lag_s:,.0f} s"
            said = f"What was written at home in the last {age} is not at site {self.site}: {standing}."
            self.log.warning("%s", said)
            telling.add_note(context, said)


def when_left(context: Context) -> None:
    """Skip the task where ``look`` has not named it; for ``pre_execute``."""
    task_id = context["ti"].task_id
    if task_id not in needed(context, LOOK)["steps"]:
        raise AirflowSkipException(f"{task_id} is not needed, as the mirrors stand and by what was asked for.")
