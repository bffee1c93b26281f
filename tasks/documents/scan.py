"""Read the documents of a version that are new, find what is personal or sensitive in them, and judge by policy.

    python -m tasks.documents.scan --data /tmp/documents --output /tmp/index --policy mask --but health=list

A file whose content was scanned before, by the same rules, is not opened again: its digest stands in the manifest of
the version. ``scanned.jsonl`` in the output tells of every file what was found, with its place, and what came of it;
what was found is never written down. Texts that the index lacks are left for ``build``, after the policy: what it masks
or keeps out is not in them. A file that cannot be read is named with a sentence, and stops no other. Exit code 2 where
the policy refuses the version.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from tasks.common import manifest, program
from tasks.common.cli import Flags, mlflow_run
from tasks.common.data import open_source
from tasks.common.listing import make_folder, only_data
from tasks.common.program import BadInput
from tasks.common.progress import Progress, say, warn
from tasks.common.s3_url import is_s3
from tasks.documents import language, layout, personal, policy, report, scanned, split
from tasks.documents.convert import Document, Section, Unreadable
from tasks.documents.policy import KEEP_OUT, MASK, REFUSE, Policy
from tasks.documents.sandbox import MOST_MB, SECONDS, Limits, read_all
from tasks.documents.scanned import IN, KEPT_OUT, MASKED, REFUSED, UNREADABLE, Found, Scanned

SHOWN = 6  # sentences in the result, which must stay small
EXAMPLES = 3


@dataclass(frozen=True)
class Scan:
    """One scan: the documents at ``data``, what decides beside their content, and where its findings go."""

    data: Path
    output: Path
    policy: Policy
    made_with: str
    limits: Limits
    run_key: str
    threads: int = 2

    @property
    def texts(self) -> Path:
        return layout.texts_of(self.output, self.run_key)


def main() -> dict[str, Any]:
    options = _options()
    scan = _scan(options)
    with mlflow_run(options, "scan") as run:
        files = digests(options.data)
        found, fresh = scan_files(scan, files)
        scanned.keep(scan.output / layout.SCANNED, found)
        result = result_of(found, fresh)
        report.record(run, found, result)
        _say(found)
        _judge(found, scan)
        return {**result, "policy": options.policy, **run.identity}


def made_with(chosen: Policy, encoder_digest: str) -> str:
    """Return what decides the passages of an index beside the content of its files."""
    rules = (personal.RULES, split.RULES, chosen.digest, encoder_digest)
    return hashlib.sha256(json.dumps(rules).encode()).hexdigest()[:16]


def digests(data: str) -> dict[str, str]:
    """Return the digest of each document, by its path."""
    store, listed = open_source(data), manifest.of(data)
    entries = [entry for entry in only_data(store.entries(), data) if entry.key not in layout.RESERVED]
    if not entries:
        raise BadInput(f"{data} holds no document.")
    return {e.key: listed.sha256(e) or hashlib.sha256(store.read(e.key)).hexdigest() for e in entries}


def scan_files(scan: Scan, files: Mapping[str, str]) -> tuple[list[Scanned], int]:
    """Return what is known of all files, in order of path, and how many of them were opened for it."""
    known = {each.path: each for each in scanned.kept(scan.output / layout.SCANNED)}
    indexed = _indexed(scan)
    done = {each.path: each for each in _begun(scan)}

    def is_known(path: str) -> bool:
        each = known.get(path)
        if each is None or (each.digest, each.made_with) != (files[path], scan.made_with):
            return False
        return not each.is_indexed or indexed.get(path) == files[path]

    found = {path: known[path] for path in files if is_known(path)}
    found |= {path: each for path, each in done.items() if files.get(path) == each.digest}
    fresh = [path for path in files if path not in found]
    with Progress(len(fresh), "documents", "Scanning") as progress, scan.texts.open("a") as texts:
        for each, document in _opened(scan, fresh, files):
            found[each.path] = each
            told = document.as_json() if document else None
            texts.write(f"{json.dumps({'scanned': each.as_json(), 'document': told})}\n")
            texts.flush()
            progress.advance()
    return [found[path] for path in sorted(found)], len(fresh)


def _begun(scan: Scan) -> Iterator[Scanned]:
    """Go through what a try of this run before has scanned; half a line at its end is cut off."""
    try:
        told = list(scanned.lines(scan.texts))
    except FileNotFoundError:
        return
    with scan.texts.open("rb+") as file:
        content = file.read()
        file.truncate(content.rfind(b"\n") + 1)
    yield from (
        each for each in (Scanned.from_json(line["scanned"]) for line in told) if each.made_with == scan.made_with
    )


def _opened(scan: Scan, fresh: list[str], files: Mapping[str, str]) -> Iterator[tuple[Scanned, Document | None]]:
    paths = [scan.data / path for path in fresh]
    for path, document in zip(fresh, read_all(paths, scan.limits, scan.threads), strict=True):
        yield judged(path, files[path], document, scan)


def judged(path: str, digest: str, document: Document | Unreadable, scan: Scan) -> tuple[Scanned, Document | None]:
    """Return what is to be said of a document, and the document as it may go into the index; None where it may not."""
    told = Scanned(path, digest, scan.made_with, UNREADABLE)
    if isinstance(document, Unreadable):
        return replace(told, sentence=f"{path} {document}."), None
    text = "\n".join(section.text for section in document.sections)
    told = replace(
        told, kind=document.kind, remarks=document.remarks, text=hashlib.sha256(text.encode()).hexdigest()[:16]
    )
    if spoken := language.foreign(text):
        return replace(told, sentence=f"{path} is in {spoken}; scan and encoder know English only."), None
    clean, found = _masked(path, document, scan.policy)
    told = replace(told, found=found)
    kinds = {each.kind for each in found}
    action = scan.policy.strictest(kinds)
    if action in (REFUSE, KEEP_OUT):
        names = ", ".join(sorted(kinds & scan.policy.of_kinds(action)))
        outcome = REFUSED if action == REFUSE else KEPT_OUT
        return replace(told, outcome=outcome, sentence=f"{path} holds {names} data."), None
    return replace(told, outcome=MASKED if action == MASK else IN), clean


def _masked(path: str, document: Document, chosen: Policy) -> tuple[Document, tuple[Found, ...]]:
    """Return the document with what the policy masks masked, and all that was found in it."""
    hidden, found = chosen.of_kinds(MASK), []
    title = Section("title", document.title or PurePosixPath(path).stem.replace("-", " ").replace("_", " "))
    sections = []
    for section in (title, *document.sections):
        findings = personal.find(section.text)
        counts: dict[tuple[str, str], int] = {}
        for each in findings:
            counts[each.kind, each.entity] = counts.get((each.kind, each.entity), 0) + 1
        found += [Found(kind, entity, section.place, count) for (kind, entity), count in counts.items()]
        sections.append(Section(section.place, personal.mask(section.text, findings, hidden)))
    title, *others = sections
    return replace(document, title=title.text, sections=tuple(others)), tuple(found)


def result_of(found: list[Scanned], fresh: int) -> dict[str, Any]:
    outcomes = {name: sum(each.outcome == name for each in found) for name in scanned.OUTCOMES}
    sentences = [each.sentence for each in found if each.sentence]
    return {
        "files": len(found),
        "opened": fresh,
        "outcomes": outcomes,
        "kinds": scanned.kinds(found),
        "findings": sum(each.count for one in found for each in one.found),
        "twice": len(scanned.twice(found)),
        "odd": sum(bool(each.remarks) for each in found),
        "sentences": [sentence[:200] for sentence in sentences[:SHOWN]],
        "more_sentences": max(0, len(sentences) - SHOWN),
    }


def _say(found: list[Scanned]) -> None:
    for each in found:
        for sentence in filter(None, (each.sentence, *(f"{each.path}: {remark}" for remark in each.remarks))):
            warn(sentence)
        for one in each.found:
            say(f"{each.path}, {one.place}: {one.kind} data ({one.entity}, {one.count})")
    for paths in scanned.twice(found):
        say(f"These say the same: {', '.join(paths)}")


def _judge(found: list[Scanned], scan: Scan) -> None:
    """Raise BadInput where the policy refuses the version; then no text is left for anybody."""
    refused = [each for each in found if each.outcome == REFUSED]
    if not refused:
        return
    scan.texts.unlink(missing_ok=True)
    kinds = sorted(set(scanned.kinds(refused)) & scan.policy.of_kinds(REFUSE))
    names = ", ".join(each.path for each in refused[:EXAMPLES]) + (", ..." if len(refused) > EXAMPLES else "")
    raise BadInput(
        f"The policy refuses the version: {', '.join(kinds)} data in {len(refused)} documents ({names}); "
        f"{layout.SCANNED} names each place. Take them out of the source, or choose another action for these kinds."
    )


def _indexed(scan: Scan) -> dict[str, str]:
    from tasks.documents.index import Building

    return Building(scan.output / layout.INDEX, scan.made_with).files()


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    flags.data("folder with documents")
    flags.output("folder of the index, with what was scanned before", from_run=lambda run: run.folders.get("index"))
    add_policy(flags)
    flags.add_argument("--most-mb", type=float, default=MOST_MB, help="of a file that is read")
    flags.add_argument("--seconds", type=float, default=SECONDS, help="to read a file")
    flags.add_argument("--threads", type=int, default=2, help="documents read at once")
    flags.tracking(lambda run: "")
    return flags.parse()


def add_policy(flags: Flags) -> None:
    """Add what decides how an index is made: the flags that ``scan`` and ``build`` have in common."""
    flags.add_argument("--policy", choices=[*policy.POLICIES], default=policy.USUAL)
    flags.add_argument("--but", default="", help="other actions for some kinds, such as health=list,legal=mask")
    flags.add_argument(
        "--encoder", type=Path, help="folder of a pretrained BERT; the one that is installed if not given"
    )


def chosen(options: argparse.Namespace) -> tuple[Policy, str]:
    """Return the policy that the flags name, and what decides passages and vectors."""
    from tasks.common import encoder

    found = Policy.of(options.policy, policy.parse(options.but))
    return found, made_with(found, encoder.digest_of(options.encoder or encoder.pretrained()))


def _scan(options: argparse.Namespace) -> Scan:
    if is_s3(options.data):
        raise BadInput(f"{options.data} is a bucket; documents are read from a mounted folder.")
    if options.threads < 1 or options.seconds <= 0 or options.most_mb <= 0:
        raise BadInput("--threads must be at least 1, --seconds and --most-mb more than 0.")
    output = Path(options.output)
    make_folder(output)
    found, with_this = chosen(options)
    limits = Limits(options.most_mb, options.seconds)
    key = options.run.run_key if options.run else ""
    return Scan(Path(options.data), output, found, with_this, limits, key, options.threads)


if __name__ == "__main__":
    program.run(main)
