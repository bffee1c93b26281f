"""What a fail over still has to do, from how the mirrors of a dataset stand: so that each step can be done again.

One mirror at a time joins home and a site: the one to the site lives there, and while data goes home, the one in the
other direction lives at home::

    to the site     update, (settled), break                    the site's volume is writable
    back            (nothing that only home has), turn, hide at the site, update, break at home,
                    (nothing that only the site has), turn again
"""

from __future__ import annotations

from dataclasses import dataclass

from ontap_mlops.ontap import mirrors
from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.errors import ServiceTrouble, Unreachable, WrongState
from ontap_mlops.ontap.mirrors import BROKEN, FOLLOWING, UNINITIALIZED, Mirror

TO_SITE, BACK = "to_site", "back"
PLANNED, UNPLANNED = "planned", "unplanned"

# Steps by the ids of the tasks that do them, in order.
UPDATE, SETTLED, BREAK, SHOW_SITE = "update", "settled", "break_off", "show_at_site"
KEPT_AT_HOME, TURN, HIDE_SITE, LAST_UPDATE = "kept_at_home", "turn", "hide_at_site", "last_update"
BREAK_HOME, SHOW_HOME, KEPT_AT_SITE, TURN_AGAIN = "break_off_home", "show_at_home", "kept_at_site", "turn_again"
SHOW_COPY = "show_copy"
RETURN = (KEPT_AT_HOME, TURN, HIDE_SITE, LAST_UPDATE, BREAK_HOME, SHOW_HOME, KEPT_AT_SITE, TURN_AGAIN, SHOW_COPY)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How the mirrors of ``dataset`` stand: ``forward`` to ``site``, ``reverse`` from there to home; None for none.

    ``home_answers``: False where home could not be asked.
    """

    dataset: str
    site: str
    forward: Mirror | None
    reverse: Mirror | None = None
    home_answers: bool = True

    def __str__(self) -> str:
        there = f"the mirror of {self.dataset} to site {self.site} is {_state(self.forward)}"
        back = f"the one back to home is {_state(self.reverse)}" if self.reverse else ""
        return "; ".join(filter(None, (there, back, "" if self.home_answers else "home does not answer")))


def look(client: Client, home: Client, *, dataset: str, site: str, svm: str, home_svm: str, volume: str) -> Standing:
    """See how the mirrors of the volume stand, by the site's cluster and, if it answers, home's.

    :param svm: of the site, as ``home_svm`` is of home; the volume has the same name at both.
    """
    forward, reverse, answers = mirrors.find(client, svm=svm, volume=volume), None, True
    try:
        reverse = mirrors.find(home, svm=home_svm, volume=volume)
    except (Unreachable, ServiceTrouble):
        answers = False
    return Standing(dataset=dataset, site=site, forward=forward, reverse=reverse, home_answers=answers)


def steps(standing: Standing, *, direction: str, how: str = PLANNED) -> list[str]:
    """Return the steps that are left, in order; what only shows the volume is always one.

    Raises WrongState, and Unreachable where home is needed and does not answer, which may pass.
    """
    if direction not in (TO_SITE, BACK) or how not in (PLANNED, UNPLANNED):
        raise ValueError(f"direction {direction!r}, {how!r}: give {TO_SITE} or {BACK}, and {PLANNED} or {UNPLANNED}")
    if standing.forward is None and standing.reverse is None:
        raise _refused(standing, "Run the DAG replicate for this dataset and site first")
    for mirror in (standing.forward, standing.reverse):
        if mirror is not None and mirror.state == UNINITIALIZED:
            raise _refused(standing, "A first transfer has not ended, so there is nothing to go on with: run replicate")
        if mirror is not None and mirror.state not in (*FOLLOWING, BROKEN):
            raise _refused(standing, "Resume it in ONTAP, then run this again")
    return _to_site(standing, how) if direction == TO_SITE else _back(standing)


def _to_site(standing: Standing, how: str) -> list[str]:
    if standing.reverse is not None:
        raise _refused(standing, "A return to home is under way: run this again with direction 'back' to end it")
    if _is(standing.forward, BROKEN):
        return [SHOW_SITE]
    if how == UNPLANNED:
        return [BREAK, SHOW_SITE]
    if not standing.home_answers:
        raise _away(
            standing, "A planned fail over copies what is new at home first; choose 'unplanned' if home is lost"
        )
    return [UPDATE, SETTLED, BREAK, SHOW_SITE]


def _back(standing: Standing) -> list[str]:
    """A mirror that was made to turn the direction is broken off, and shows nothing yet, until its resync is done."""
    if not standing.home_answers:
        raise _away(standing, "Nothing can be brought back to a home that does not answer")
    forward, reverse = standing.forward, standing.reverse
    if _follows(forward):
        return [TURN_AGAIN, SHOW_COPY] if reverse else [SHOW_COPY]
    if _follows(reverse):
        return _from(TURN if forward else HIDE_SITE)
    if reverse is not None and reverse.exported_snapshot:
        return _from(SHOW_HOME)
    if forward is None:
        raise _refused(standing, "It has brought nothing yet, and the mirror to the site is gone: resync it in ONTAP")
    return list(RETURN)


def _from(step: str) -> list[str]:
    return list(RETURN[RETURN.index(step) :])


def _is(mirror: Mirror | None, state: str) -> bool:
    return mirror is not None and mirror.state == state


def _follows(mirror: Mirror | None) -> bool:
    return mirror is not None and mirror.state in FOLLOWING


def _state(mirror: Mirror | None) -> str:
    return mirror.state if mirror else "not there"


def _refused(standing: Standing, advice: str) -> WrongState:
    return WrongState(_sentence(standing, advice))


def _away(standing: Standing, advice: str) -> Unreachable:
    return Unreachable(_sentence(standing, advice))


def _sentence(standing: Standing, advice: str) -> str:
    told = str(standing)
    return f"{told[0].upper()}{told[1:]}. {advice}."
