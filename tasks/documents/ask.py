"""Ask what serves a real question, as proof: the answer has to come from the run's version, with its source.

    DOCUMENTS_URL=http://127.0.0.1:8900 python -m tasks.documents.ask --by service

By the service as everybody asks it, or, where there is none, by the frozen index itself with the same code. Where the
answer is not as it must be, the index that served before is put back, if this run has replaced it.
"""

from __future__ import annotations

import json
import os
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tasks.common import program
from tasks.common.cli import Flags
from tasks.common.program import BadInput
from tasks.common.progress import say, warn
from tasks.documents import layout, questions, rights, serving
from tasks.documents.answer import answer
from tasks.documents.embedding import Embedding
from tasks.documents.index import Index
from tasks.documents.questions import Question
from tasks.documents.serving import Served

SERVICE, INDEX = "service", "index"
TIMEOUT_S = 60


class WrongError(RuntimeError):
    """What serves does not answer as it must; the message says how."""


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    flags.data("folder with the documents of the version")
    flags.output("folder of the index's volume", from_run=lambda run: run.folders.get("index"))
    flags.add_argument("--by", choices=[SERVICE, INDEX], default=SERVICE)
    flags.add_argument("--before", default="", help="run whose index this run's has replaced")
    options = flags.parse()
    volume = Path(options.output)
    served = serving.current(volume)
    if served is None:
        raise BadInput("No index serves; run the DAG documents.")
    asked = question_of(Path(options.data), Index(layout.frozen(volume, served.snapshot)))
    try:
        told = by_service(asked) if options.by == SERVICE else by_index(asked, volume, served)
        check(asked, told, served)
    except (WrongError, OSError) as error:
        raise RuntimeError(f"{error} {_put_back(volume, options, served)}".strip()) from error
    say(f"{asked.text!r}: {told['answer']!r}")
    return {"question": asked.text, **told}


def question_of(data: Path, index: Index) -> Question:
    """Return a question that anybody may get an answer to. Raises BadInput where there is none."""
    may = rights.Rights(data).readable(rights.ANYBODY, index.files)
    for question in questions.own(data):
        if question.files & may:
            return question
    for question in questions.made([each for each in index.sample(200) if each.file in may]):
        return question
    raise BadInput("No question can be asked whose answer everybody may read; give access.yaml such a document.")


def by_service(asked: Question) -> dict[str, Any]:
    """Return answer, files and version as the service tells them. Raises WrongError, and OSError where it is down."""
    url, token = os.environ.get("DOCUMENTS_URL", ""), os.environ.get("DOCUMENTS_TOKEN", "")
    if not url:
        raise BadInput("DOCUMENTS_URL does not name the service; give the task the connection documents_default.")
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    body = json.dumps({"question": asked.text}).encode()
    request = urllib.request.Request(f"{url.rstrip('/')}/api/questions", body, headers)  # noqa: S310 - a connection's
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
        told = json.load(response)
    said = " ".join(line["text"] for line in told.get("answer", ()))
    files = sorted({source["file"] for source in told.get("sources", ())})
    return {"answer": said, "files": files, "dataset_version": told.get("dataset_version")}


def by_index(asked: Question, volume: Path, served: Served) -> dict[str, Any]:
    index, embedding = Index(layout.frozen(volume, served.snapshot)), Embedding()
    vector = embedding.of([asked.text])[0]
    hits = index.search(asked.text, vector, limit=8)
    told = answer(asked.text, vector, hits, embedding.of, served.threshold)
    files = sorted({said.passage.file for said in told.sentences})
    said = " ".join(said.text for said in told.sentences)
    return {"answer": said, "files": files, "dataset_version": index.facts["dataset_version"]["id"]}


def check(asked: Question, told: dict[str, Any], served: Served) -> None:
    """Raise WrongError where an answer is none, is of another version, or cites nothing that answers."""
    if told["dataset_version"] != served.version:
        raise WrongError(f"It answers from version {told['dataset_version']}, but {served.version} serves.")
    if not told["answer"]:
        raise WrongError(f"{asked.text!r} got no answer.")
    if asked.files and not asked.files & set(told["files"]):
        raise WrongError(f"{asked.text!r} was answered from {', '.join(told['files'])}, not {min(asked.files)}.")


def _put_back(volume: Path, options: Any, served: Served) -> str:
    """Let the index before serve again, where this run's serves now and has replaced it."""
    own = options.run.run_key if options.run else ""
    before = next((each for each in serving.history(volume) if each.run_key == options.before), None)
    if before is None or served.run_key != own:
        return "What serves is not changed."
    serving.serve(volume, replace(before, served_at=datetime.now(UTC)), instead_of=own)
    warn(f"The index of version {before.version} serves again.")
    return f"The index of version {before.version} serves again."


if __name__ == "__main__":
    program.run(main)
