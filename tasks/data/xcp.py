"""Runs NetApp XCP, which copies, compares and follows trees of files over NFS with many processes at once.

    python -m tasks.data.xcp copy --source 10.0.0.5:/data --destination 10.0.0.9:/copy --id tyre
    python -m tasks.data.xcp verify --source 10.0.0.5:/data --destination 10.0.0.9:/copy

`copy` copies everything into XCP's catalogue as `--id`; done again, it resumes what was cut short, or copies what has
changed since. `sync` and `resume` do only that. `verify` compares every byte and changes nothing. The command `xcp` has
to be on the PATH, with a licence and a catalogue of its own (see docs/xcp.md). The result tells how many files were
scanned and copied, the bytes in and out, and the seconds it took.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any, NoReturn

from tasks.common.program import BadInput, TryAgain, run
from tasks.common.progress import say, warn

COMMAND = "xcp"
STOP_S = 20.0  # for what XCP writes into its catalogue at its end, so that it can be resumed
_COUNT = re.compile(
    r"([\d,]+)\s+"
    r"(scanned|matched|copied|indexed|error|modification|new item|delete item|found|compared|different item)s?\b"
)
_SHARE = re.compile(r"([\d,]+)%\s+found")
_SPEED = re.compile(r"([\d.,]+)\s*([KMGTP]i?B|B)\s+(in|out)\b")
_TIME = re.compile(r"Total Time\s*:\s*(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:([\d.]+)s)?")
_STATUS = re.compile(r"STATUS\s*:\s*(\w+)")
_UNITS = {unit: 1024**power for power, unit in enumerate(("B", "KiB", "MiB", "GiB", "TiB", "PiB"))}
_NAMES = {
    "error": "errors",
    "modification": "modified",
    "new item": "new",
    "delete item": "deleted",
    "different item": "different",
}
_THERE = re.compile(r"index.*(already exists|already in use|exists)", re.IGNORECASE)
_WHOLE = re.compile(r"(is|already) complete|nothing to resume|completed index", re.IGNORECASE)
_UNKNOWN = re.compile(r"(no such|not found|does not exist|invalid|unknown|cannot find).*", re.IGNORECASE)


def work(options: argparse.Namespace) -> dict[str, Any]:
    require_licence()
    if options.verb == "verify":
        return verified(options)
    if options.verb != "copy":
        return finished(options, [options.verb, "-id", options.id, *tuning(options)])
    said = carried_out(["copy", "-newid", options.id, *tuning(options), options.source, options.destination])
    if _THERE.search(said.words):
        say(f"XCP knows {options.id!r} from before; what was cut short is resumed.")
        said = carried_out(["resume", "-id", options.id, *tuning(options)])
        if _WHOLE.search(said.words):
            say(f"{options.id!r} was copied whole; what has changed since is copied.")
            return finished(options, ["sync", "-id", options.id, *tuning(options)])
    return result(options, said)


def finished(options: argparse.Namespace, command: Sequence[str]) -> dict[str, Any]:
    return result(options, carried_out(command))


def verified(options: argparse.Namespace) -> dict[str, Any]:
    """Raises BadInput when the two differ: comparing them once more would not make them equal."""
    said = carried_out(["verify", "-noId", *tuning(options), options.source, options.destination])
    counts = summary(said.text)
    share = _SHARE.search(last_part(said.text))
    if counts.get("different") or (share and share[1] != "100"):
        found = f", {share[1]} % of the files were found" if share else ""
        raise BadInput(
            f"{options.source} and {options.destination} are not the same: {counts.get('different', 0)} items "
            f"differ{found}. Copy or sync them, then verify again."
        )
    return result(options, said)


class Said:
    """What the command printed, and its exit code."""

    def __init__(self, text: str, code: int) -> None:
        self.text = text
        self.code = code

    @property
    def words(self) -> str:
        """Its complaint, if it made one."""
        lines = [line.partition(":")[2].strip() for line in self.text.splitlines() if re.match(r"xcp: ERROR", line)]
        return "; ".join(lines) or (self.text.strip().splitlines() or ["nothing"])[-1] if self.failed else ""

    @property
    def failed(self) -> bool:
        status = _STATUS.search(self.text)
        return self.code != 0 or "xcp: ERROR" in self.text or (status is not None and status[1] != "PASSED")


def carried_out(arguments: Sequence[str]) -> Said:
    """Run the command, show each of its lines as it comes, and stop it when this program is stopped."""
    say(f"{COMMAND} {' '.join(arguments)}")
    process = subprocess.Popen(
        [COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    lines = []
    try:
        for line in process.stdout or ():
            lines.append(line)
            show(line.rstrip())
        return Said("".join(lines), process.wait())
    except BaseException:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise


def show(line: str) -> None:
    if "WARNING" in line and "No index name" not in line:
        warn(line.partition("WARNING:")[2].strip() or line)
    elif line:
        say(line)


def require_licence() -> None:
    """Raises BadInput, before anything is copied, where the command or its licence is missing."""
    if shutil.which(COMMAND) is None:
        raise BadInput(
            "There is no command xcp on the PATH here. Install NetApp XCP on the machine that this place runs programs "
            "on, or choose another place."
        )
    told = subprocess.run([COMMAND, "license"], capture_output=True, text=True, errors="replace")
    text = f"{told.stdout} {told.stderr}"
    if told.returncode or not re.search(r"License status:\s*ACTIVE", text):
        status = re.search(r"License status:\s*(\S+)", text)
        why = f"License status: {status[1]}" if status else " ".join(text.split())[:200] or "it says nothing"
        raise BadInput(
            f"XCP has no active licence here ({why}). Put the licence file into XCP's folder and run `xcp activate`."
        )


def tuning(options: argparse.Namespace) -> list[str]:
    flags = {"-match": options.match if options.verb in ("copy", "verify") else None, "-parallel": options.parallel}
    return [part for flag, value in flags.items() if value is not None for part in (flag, str(value))]


def result(options: argparse.Namespace, said: Said) -> dict[str, Any]:
    """Raises for a failure: BadInput when XCP does not know what it was given, TryAgain for anything else."""
    counts = summary(said.text)
    if said.failed or counts.get("errors"):
        fail(options, said, counts)
    return {"verb": options.verb, **({"id": options.id} if options.id else {}), **counts}


def fail(options: argparse.Namespace, said: Said, counts: dict[str, Any]) -> NoReturn:
    what = f"{options.source} to {options.destination}" if options.source else f"{options.id!r}"
    told = said.words or f"{counts.get('errors')} errors"
    sentence = f"xcp {options.verb} of {what} did not pass: {told}."
    if _UNKNOWN.search(told):
        raise BadInput(f"{sentence} Check the paths, the export policies and the id.")
    again = "" if options.verb == "verify" else " What was copied stays; the next try goes on from there."
    raise TryAgain(f"{sentence}{again}")


def last_part(text: str) -> str:
    """The summary, on one line however the terminal broke it; all of the text where there is none."""
    return " ".join(text[max(text.rfind("Xcp command"), 0) :].split())


def summary(text: str) -> dict[str, Any]:
    """The numbers of XCP's last lines, by plain names."""
    part = last_part(text)
    found: dict[str, Any] = {}
    for number, name in _COUNT.findall(part):
        found[_NAMES.get(name, name)] = int(number.replace(",", ""))
    for number, unit, way in _SPEED.findall(part):
        found[f"bytes_{way}"] = round(float(number.replace(",", "")) * _UNITS[unit])
    if time := _TIME.search(part):
        days, hours, minutes, seconds = (float(value or 0) for value in time.groups())
        found["seconds"] = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return found


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tasks.data.xcp", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("verb", choices=("copy", "sync", "resume", "verify"))
    parser.add_argument("--source", default="", help="server:/export, file:///folder, hdfs:// or s3://bucket")
    parser.add_argument("--destination", default="", help="where to, or what to compare with")
    parser.add_argument("--id", default="", help="name of the copy in XCP's catalogue")
    parser.add_argument("--match", help="only what fits this filter of XCP's")
    parser.add_argument("--parallel", type=int, help="batches of work at once; XCP's own default is 7")
    options = parser.parse_args(arguments)
    needed = {"copy": ("source", "destination", "id"), "verify": ("source", "destination")}.get(options.verb, ("id",))
    missing = [f"--{name}" for name in needed if not getattr(options, name)]
    if missing:
        parser.error(f"{options.verb} needs {' and '.join(missing)}")
    return options


if __name__ == "__main__":
    parsed = parse()
    run(lambda: work(parsed))
