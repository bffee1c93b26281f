"""Make the documents of a company, with what a scan has to find, questions about them, and who may read them.

    python -m tasks.documents.generate --output /tmp/documents
    python -m tasks.documents.generate --output s3://lake/documents --revision 2    # some policies have changed

Some sixty files: PDF, Word, PowerPoint, HTML, Markdown, text and mail. Among them personal data of the eight published
kinds, a file twice, documents only some may read (access.yaml), two that give an assistant orders, and nine that cannot
be read as they are. ``questions.jsonl`` has ten questions with their files and three that no document answers.
``--more`` adds as many products with five documents each. The same revision gives the same bytes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from tasks.common import program
from tasks.common.data import Store, open_target
from tasks.common.program import BadInput
from tasks.common.progress import Progress
from tasks.documents.bad_files import bad_files
from tasks.documents.corpus import documents, questions
from tasks.documents.writing import written

QUESTIONS, ACCESS = "questions.jsonl", "access.yaml"
TWICE = {"policies/archive/travel-copy.docx": "policies/travel.docx"}
RIGHTS = (("board/*", "[board]"), ("hr/*", "[hr]"), ("legal/*", "[board, legal]"), ('"*"', "[everybody]"))


def main() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", required=True, help="folder or s3://bucket/prefix")
    parser.add_argument("--revision", type=int, default=1, help="1, or 2 for what has changed since")
    parser.add_argument("--more", type=int, default=0, help="further products, of five documents each")
    parser.add_argument("--good-only", action="store_true", help="without the files that cannot be read")
    options = parser.parse_args()
    if options.revision < 1 or options.more < 0:
        raise BadInput("--revision must be at least 1, and --more must not be negative.")
    count = bring(open_target(options.output), options.revision, options.more, bad=not options.good_only)
    return {"files": count, "output": options.output}


def bring(store: Store, revision: int = 1, more: int = 0, *, bad: bool = True) -> int:
    """Write all files, and return how many there are."""
    found = dict(files(revision, more)) | (bad_files() if bad else {})
    with Progress(len(found), "files", "Writing") as progress:
        for path, content in found.items():
            store.write(path, content)
            progress.advance()
    return len(found)


def files(revision: int, more: int = 0) -> Iterator[tuple[str, bytes]]:
    """Go through the good files, with their contents."""
    made = {each.path: written(each) for each in documents(revision, more)}
    yield from made.items()
    yield from ((copy, made[path]) for copy, path in TWICE.items())
    yield QUESTIONS, "".join(f"{json.dumps(question)}\n" for question in questions(revision)).encode()
    rules = "".join(f"- files: {pattern}\n  groups: {groups}\n" for pattern, groups in RIGHTS)
    yield ACCESS, f"# The first rule whose pattern fits decides who may read a file.\n{rules}".encode()


if __name__ == "__main__":
    program.run(main)
