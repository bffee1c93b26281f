"""Slurm's complaints as one sentence each, and whether trying again can help."""

from __future__ import annotations

import re


class SlurmError(Exception):
    """Slurm did not do what was asked; the message says what, of which object, what came back and what to do."""


class SlurmTemporaryError(SlurmError):
    """The same request may succeed later."""


class SlurmPermanentError(SlurmError):
    """The same request will be refused again until somebody changes something."""


class Unreachable(SlurmTemporaryError):
    """No answer came from the host, the controller or the accounting: what they do is not known."""


class OverLimit(SlurmTemporaryError):
    """A limit of the account or QOS leaves no room for one more now."""


class LoginRefused(SlurmPermanentError):
    """The host does not accept the key or password of the connection."""


class CommandMissing(SlurmPermanentError):
    """The host has no such command."""


class InvalidRequest(SlurmPermanentError):
    """There is no such account, partition, QOS or device, or the request can never be met."""


# Slurm's own words -> class, and what to do about it. The first that fits decides.
_KNOWN: list[tuple[str, type[SlurmError], str]] = [
    (
        r"Unable to contact slurm|Socket timed out|Zero Bytes were transmitted|Connection refused|standby mode"
        r"|Transport endpoint is not connected|Connection timed out|Unable to establish controller|connect failure",
        Unreachable,
        "slurmctld or slurmdbd does not answer; what runs goes on, and the next look finds it",
    ),
    (
        r"[Mm]unge|authentication (credential|error)|Protocol authentication",
        Unreachable,
        "munge on that host and on the controller must run with the same key and clock",
    ),
    (
        r"Invalid account or account/partition combination|user's account .* not permitted|Invalid account",
        InvalidRequest,
        "`sacctmgr show associations` lists the accounts and partitions of that user",
    ),
    (r"[Ii]nvalid partition", InvalidRequest, "`sinfo` lists the partitions"),
    (r"Invalid qos", InvalidRequest, "`sacctmgr show associations` lists the QOS that the user may use"),
    (
        r"Invalid generic resource|Invalid Trackable RESource|invalid gres",
        InvalidRequest,
        "the cluster has no such GPUs or shards; `sinfo --format '%n %G'` lists what its nodes have",
    ),
    (
        r"Requested node configuration is not available|Memory (specification|required).* (can ?not|not available)"
        r"|CPU count per node can not be satisfied|More processors requested than permitted|Node count specification",
        InvalidRequest,
        "no node is that large; ask for fewer CPUs, GPUs or less memory, or name another partition",
    ),
    (
        r"Invalid (feature|node name|license|wckey|reservation)",
        InvalidRequest,
        "correct the place's options; `sinfo --format '%n %f'` lists nodes and their features",
    ),
    (r"Requested time limit is invalid", InvalidRequest, "the partition allows less time; set a shorter time limit"),
    (
        r"not permitted to use this partition|Access/permission denied|Invalid user id",
        InvalidRequest,
        "ask the cluster's administrator for the right to use it",
    ),
    (
        r"Job violates accounting/QOS policy|limit reached|Limit",
        OverLimit,
        "a limit of the account or QOS holds it back; `sacctmgr show qos` and `show associations` list them",
    ),
    (r"inactive|drain|not available", Unreachable, "the administrator has closed it for now"),
    (r"Unable to process configuration file", InvalidRequest, "name the cluster's slurm.conf as slurm_conf"),
    (r"[Uu]nrecognized option|[Ii]nvalid (argument|--|directive)", InvalidRequest, "correct the place's options"),
]


def complaint(asked: str, said: str, host: str) -> SlurmError:
    """Return the error for what a command has ``said`` when it was ``asked`` something on ``host``."""
    words = last_words(said)
    missing = re.search(r"(\S+): (?:command )?not found", words)
    if missing:
        return CommandMissing(
            f"{asked} on {host}: there is no command {missing[1]}; install Slurm's client there, or say in "
            "commands: where it is"
        )
    for pattern, kind, advice in _KNOWN:
        if re.search(pattern, words):
            return kind(f"{asked} on {host}: {words}; {advice}")
    return SlurmTemporaryError(f"{asked} on {host}: {words or 'it failed and said nothing'}")


def last_words(said: str) -> str:
    """The last thing said that tells something, less the name of the command that says it."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith('Try "')]
    telling = [line for line in lines if "Batch job submission failed" in line] or lines
    words = telling[-1] if telling else ""
    words = re.sub(r"^\w+: (error: )?", "", words)
    if "Batch job submission failed: " in words:
        before = [re.sub(r"^\w+: (error: )?", "", line) for line in lines if line not in telling]
        words = "; ".join([*before[:1], words.partition("Batch job submission failed: ")[2]])
    return words.rstrip(".")
