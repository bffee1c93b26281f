"""The faults: what happens at which call, and with which errors an operator may end because of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

import requests

from ontap_mlops.ontap import errors
from tests.faults.site import Site
from tests.faults.wire import Call
from tests.ontap_mlops.conftest import Ontap

FOR_GOOD = 10**6
# Whatever goes on between the clusters is disturbed; how the tests steer them is not.
_NOT_STEERING = r"^/(?!emulator/(?:reset|faults|requests|jobs|limits|users|roles|clock|svms))"


class Interfering:
    """Acts at the call of the given number and, where ``lasting``, at all later ones to ONTAP, until it is repaired."""

    lasting = False

    def __init__(self, site: Site, position: int) -> None:
        self.site, self.position = site, position
        self.met: Call | None = None

    def before(self, call: Call) -> None:
        if call.number == self.position or (self.lasting and call.number > self.position and call.cluster is not None):
            self.met = self.met or call
            self.strike(call)

    def after(self, call: Call) -> None:
        if call.number == self.position:
            self.struck(call)

    def strike(self, call: Call) -> None:
        """Just before the call leaves."""

    def struck(self, call: Call) -> None:
        """When it is done, before the answer is seen."""

    def repair(self) -> None:
        self.site.wire.interference = None
        for cluster in self.site.clusters:
            cluster.control("DELETE", "/faults")
            cluster.jobs("immediate")

    def _fault(self, call: Call, kind: str, **more: object) -> None:
        """The emulator itself is told, so that what the client meets is real."""
        self._cluster(call).fault(call.method, f"^{re.escape(unquote(call.path))}", kind, **more)

    def _cluster(self, call: Call) -> Ontap:
        return self.site.here if call.cluster == "here" else self.site.there


class Refused(Interfering):
    def strike(self, call: Call) -> None:
        self._fault(call, "refuse")


class RefusedForGood(Refused):
    lasting = True


class TooSlow(Interfering):
    """The work is done, and the client has stopped waiting for the answer."""

    def struck(self, call: Call) -> None:
        raise requests.exceptions.ReadTimeout("read timed out")


class LostAnswer(Interfering):
    def strike(self, call: Call) -> None:
        self._fault(call, "lost_answer")


class JobFails(Interfering):
    def strike(self, call: Call) -> None:
        self._cluster(call).jobs("reads", 1)
        self._fault(call, "job_fails", code="458753", message="A service stopped in the midst of it.")

    def struck(self, call: Call) -> None:
        self._cluster(call).jobs("immediate")


class JobUnknown(JobFails):
    def strike(self, call: Call) -> None:
        """Nothing: the job runs."""

    def struck(self, call: Call) -> None:
        if call.job:
            self._cluster(call).control("DELETE", f"/jobs/{call.job}")


class TooMany(Interfering):
    def strike(self, call: Call) -> None:
        self._fault(call, "error", status=429, code="429", message="Too many requests.")


class OutOfService(Interfering):
    def strike(self, call: Call) -> None:
        self._fault(call, "error", status=503, code="503", message="Service unavailable.")


class PasswordExpired(Interfering):
    lasting = True

    def strike(self, call: Call) -> None:
        self._fault(call, "error", status=401, code="6691623", message="User is not authorized.")


class SpaceFull(JobFails):
    lasting = True

    def strike(self, call: Call) -> None:
        if call.method not in ("POST", "PATCH"):
            return
        self._cluster(call).jobs("reads", 1)
        self._fault(call, "space_full")

    def struck(self, call: Call) -> None:
        """It stays so until somebody makes room."""

    def after(self, call: Call) -> None:
        cluster = self._cluster(call)
        cluster.jobs("immediate")
        cluster.control("DELETE", "/faults")


class PeerUnreachable(Interfering):
    """The other cluster is away from before the call on, for this client and for the cluster that works with it."""

    def strike(self, call: Call) -> None:
        self.site.there.fault("*", _NOT_STEERING, "refuse", times=FOR_GOOD)


class KilledBefore(Interfering):
    def strike(self, call: Call) -> None:
        self.site.wire.kill()


class KilledAfter(Interfering):
    def struck(self, call: Call) -> None:
        self.site.wire.kill()


def _ontap(call: Call) -> bool:
    return call.cluster is not None


def _begins_job(call: Call) -> bool:
    return call.cluster is not None and call.changes and call.job is not None


def _takes_space(call: Call) -> bool:
    return _begins_job(call) and call.method in ("POST", "PATCH")


def _any(call: Call) -> bool:
    return True


def _changes(call: Call) -> bool:
    """A kill after a call that only reads is one before the next."""
    return call.changes


@dataclass(frozen=True)
class Trouble:
    """One column of the table. Without ``clear`` every operator survives it."""

    title: str
    kind: type[Interfering]
    at: Callable[[Call], bool]
    """Which calls of an undisturbed run it can meet."""
    clear: tuple[type[errors.OntapError], ...] = ()
    """With one of these an operator may end; it then says so in a sentence, and goes on once it is put right."""
    clusters: int = 1
    everywhere: bool = False
    """Whether it differs from call to call, so that `make faults` plays it wherever it finds things as at no other."""


TROUBLES = [
    Trouble("refused once", Refused, _ontap),
    Trouble("away for good", RefusedForGood, _ontap, (errors.Unreachable,)),
    Trouble("too slow", TooSlow, _ontap),
    Trouble("answer lost", LostAnswer, _ontap),
    Trouble("job fails later", JobFails, _begins_job),
    Trouble("job unknown", JobUnknown, _begins_job),
    Trouble("429", TooMany, _ontap),
    Trouble("503", OutOfService, _ontap),
    Trouble("password expired", PasswordExpired, _ontap, (errors.AuthenticationFailed,)),
    Trouble("space full", SpaceFull, _takes_space, (errors.SpaceFull,)),
    Trouble("peer unreachable", PeerUnreachable, _ontap, (errors.OntapError,), clusters=2),
    Trouble("killed before", KilledBefore, _any, everywhere=True),
    Trouble("killed after", KilledAfter, _changes, everywhere=True),
]
