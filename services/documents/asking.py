"""One question, from who asks to what is shown: rights, refused topics, the documents of a date, sources, hiding.

The HTTP service, its page and the MCP tools all ask here.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any

from starlette.concurrency import run_in_threadpool

from services.documents.generator import Generator, GeneratorError
from services.documents.guard import Guardrails, Mask, Topics, without_secrets
from services.documents.store import Store
from services.web import BadRequestError
from tasks.common.metrics import Floats
from tasks.common.program import BadInput
from tasks.documents import answer, serving
from tasks.documents.answer import Embed
from tasks.documents.index import Hit, Index, Passage
from tasks.documents.layout import frozen
from tasks.documents.rights import Person, Rights, RightsError
from tasks.documents.serving import Served

LONGEST_QUESTION = 1000
FOUND = 8
"""Passages looked for."""
AROUND = 1
"""Passages shown before and after one that is opened."""
KEPT_OPEN = 4
"""Indexes: what serves, and dates that were asked about."""
REMEMBERED_S = 10.0
"""How long it may take until a right that was given counts. One that was taken away counts at once."""
NOT_THERE = "That is not in these documents."

log = logging.getLogger(__name__)


class NotReadyError(Exception):
    """Nothing can be asked at the moment; the message says why."""


@dataclass(frozen=True)
class Place:
    """A frozen index, open, and since when it serves."""

    served: Served
    index: Index


class Library:
    """The indexes of ``volume``, and the rights to the documents below ``root`` as they are now."""

    def __init__(self, volume: Path, root: Path) -> None:
        self._volume, self._rights = volume, Rights(root)
        self._open: OrderedDict[str, Index] = OrderedDict()
        self._readable: OrderedDict[tuple[Person, str], tuple[float, frozenset[str]]] = OrderedDict()
        self._lock = Lock()

    def at(self, moment: datetime | None = None, version: str | None = None) -> Place | None:
        """Return what serves, or served the documents as they were at a moment, or one version of them.

        None where there is none. Raises NotReadyError where it cannot be told or opened.
        """
        try:
            known = serving.history(self._volume)
            if version is not None:
                known = [each for each in known if each.version == version]
            elif moment is not None:
                known = [each for each in known if each.version_at <= moment]
            return Place(known[-1], self._index(known[-1].snapshot)) if known else None
        except (BadInput, OSError) as error:
            raise NotReadyError(str(error)) from error

    def search(self, place: Place, question: str, vector: Floats, person: Person, limit: int) -> list[Hit]:
        """Return what a person may find in an index. Raises NotReadyError where rights cannot be told."""
        try:
            hits = place.index.search(question, vector, limit=limit, allowed=self._allowed(place, person))
            if len(self._rights.readable(person, {hit.passage.file for hit in hits})) < len(_files(hits)):
                # A right was taken away a moment ago.
                hits = place.index.search(
                    question, vector, limit=limit, allowed=self._allowed(place, person, anew=True)
                )
            return hits
        except RightsError as error:
            raise NotReadyError(f"Who may read what cannot be told, so nothing is shown: {error}") from error

    def passages(self, place: Place, name: str, person: Person) -> tuple[Passage, list[Passage]] | None:
        """Return a passage with what stands around it; None where there is none that the person may read."""
        passage = place.index.passage(name)
        try:
            if passage is None or not self._rights.readable(person, [passage.file]):
                return None
        except RightsError as error:
            raise NotReadyError(f"Who may read what cannot be told, so nothing is shown: {error}") from error
        return passage, place.index.around(passage, AROUND)

    def _allowed(self, place: Place, person: Person, *, anew: bool = False) -> frozenset[str]:
        key = person, place.served.snapshot
        with self._lock:
            at, files = self._readable.get(key, (-REMEMBERED_S, frozenset()))
        if anew or time.monotonic() - at >= REMEMBERED_S:
            at, files = time.monotonic(), frozenset(self._rights.readable(person, place.index.files))
            with self._lock:
                self._readable[key] = at, files
                while len(self._readable) > 1000:
                    self._readable.popitem(last=False)
        return files

    def _index(self, snapshot: str) -> Index:
        with self._lock:
            if snapshot not in self._open:
                self._open[snapshot] = Index(frozen(self._volume, snapshot))
                if len(self._open) > KEPT_OPEN:
                    self._open.popitem(last=False)
            self._open.move_to_end(snapshot)
            return self._open[snapshot]


class Assistant:
    """Answers questions from a library.

    :param embed: by the encoder that the indexes were made with.
    :param mask: hides personal data of the kinds that the guardrails name.
    :param generator: None where answers are sentences of the documents.
    """

    def __init__(
        self,
        library: Library,
        embed: Embed,
        store: Store,
        guardrails: Guardrails,
        mask: Mask,
        generator: Generator | None = None,
    ) -> None:
        self._library, self._embed, self._store = library, embed, store
        self._topics, self._mask, self._generator = Topics(guardrails.topics, embed), mask, generator

    async def ask(self, question: str, person: Person, moment: datetime | None = None) -> dict[str, Any]:
        """Return the answer as JSON tells it. Raises NotReadyError, and BadRequestError for what is no question."""
        question = checked(question)
        vector = (await run_in_threadpool(self._embed, [question]))[0]
        topic = self._topics.of(question, vector)
        if topic is not None:
            return await self._kept(question, person, "refused", {"says": topic.says, "topic": topic.name})
        place = await run_in_threadpool(self._library.at, moment)
        if place is None:
            raise NotReadyError("No index of the documents serves" + (" for that date." if moment else " yet."))
        hits = await run_in_threadpool(self._library.search, place, question, vector, person, FOUND)
        told = await self._told(question, vector, place, hits)
        return await self._kept(question, person, "answered" if told["found"] else "not_there", told)

    async def search(self, question: str, person: Person, limit: int, moment: datetime | None = None) -> list[dict]:
        """Return passages for a question, the best first, as JSON tells them. Raises as ``ask`` does."""
        question = checked(question)
        place = await run_in_threadpool(self._library.at, moment)
        if place is None:
            raise NotReadyError("No index of the documents serves" + (" for that date." if moment else " yet."))
        vector = (await run_in_threadpool(self._embed, [question]))[0]
        if (topic := self._topics.of(question, vector)) is not None:
            await self._kept(question, person, "refused", {"says": topic.says})
            raise BadRequestError(topic.says, 403)
        hits = await run_in_threadpool(self._library.search, place, question, vector, person, limit)
        told = [await run_in_threadpool(self._shown, hit.passage, place) for hit in hits]
        await self._kept(question, person, "searched", {"sources": told, "dataset_version": place.served.version})
        return told

    async def passage(self, name: str, version: str, person: Person) -> dict[str, Any] | None:
        """Open a citation: the passage, with what stands beside it; None where a person may not, or there is none."""
        place = await run_in_threadpool(self._library.at, None, version)
        found = await run_in_threadpool(self._library.passages, place, name, person) if place else None
        if place is None or found is None:
            return None
        passage, around = found
        texts = [
            {"text": self._mask(each.text), "cited": each.id == passage.id, "place": each.place} for each in around
        ]
        told = {**await run_in_threadpool(self._shown, passage, place), "around": texts}
        await self._kept("", person, "opened", {"sources": [told], "dataset_version": version})
        return told

    def ready(self) -> None:
        """Raise NotReadyError where nothing can be asked."""
        if self._library.at() is None:
            raise NotReadyError("No index of the documents serves yet; run the DAG documents.")

    async def _told(self, question: str, vector: Floats, place: Place, hits: Sequence[Hit]) -> dict[str, Any]:
        served = place.served
        found = await run_in_threadpool(answer.answer, question, vector, hits, self._embed, served.threshold)
        said: list[tuple[str, tuple[Passage, ...]]] = [(each.text, (each.passage,)) for each in found.sentences]
        by = "documents"
        if found.found and self._generator is not None:
            passages = [hit.passage for hit in hits]
            try:
                said, by = await self._generated(question, passages), "generator"
            except GeneratorError as error:
                log.warning("The documents' own sentences answer: %s", error)
        cited = list(dict.fromkeys(passage for _, sources in said for passage in sources))
        sources = [await run_in_threadpool(self._shown, each, place) for each in cited]
        texts = await run_in_threadpool(lambda: [self._mask(text) for text, _ in said])
        lines = [
            {"text": text, "sources": [cited.index(each) + 1 for each in passages]}
            for text, (_, passages) in zip(texts, said, strict=True)
        ]
        version = {"dataset_version": served.version, "version_at": served.version_at.isoformat()}
        told = {"found": bool(lines), "answer": lines, "sources": sources, "by": by, **version}
        return {**told, "confidence": round(found.confidence, 3), **({} if lines else {"says": NOT_THERE})}

    async def _generated(self, question: str, passages: list[Passage]) -> list[tuple[str, tuple[Passage, ...]]]:
        """Return what the generator says of passages as it may see them. Raises GeneratorError."""
        assert self._generator is not None
        hidden = await run_in_threadpool(lambda: [_with(each, self._mask(each.text)) for each in passages])
        said = await self._generator.tell(self._mask(without_secrets(question)), hidden)
        found = await run_in_threadpool(self._generator.checked, said, hidden)
        return [(each.text, tuple(passages[source] for source in each.sources)) for each in found]

    def _shown(self, passage: Passage, place: Place) -> dict[str, Any]:
        told = {"passage": passage.id, "file": passage.file, "place": passage.place}
        told |= {"title": self._mask(passage.title), "text": self._mask(passage.text)}
        return {**told, "dataset_version": place.served.version}

    async def _kept(self, question: str, person: Person, outcome: str, told: dict[str, Any]) -> dict[str, Any]:
        """Record what was asked and shown, before it is shown."""

        def keep() -> None:
            said = "\n".join(line["text"] for line in told.get("answer", ())) or told.get("says", "")
            shown = [{"file": each["file"], "passage": each["passage"]} for each in told.get("sources", ())]
            asked = self._mask(without_secrets(question))
            version = told.get("dataset_version")
            self._store.keep(person.name, asked, outcome, version, without_secrets(said), shown)

        await run_in_threadpool(keep)
        return {"outcome": outcome, **told}


def checked(question: str) -> str:
    """Return a question without what no text holds. Raises BadRequestError where it is none."""
    question = question.replace("\x00", "").strip()
    if not question:
        raise BadRequestError("Ask something.")
    if len(question) > LONGEST_QUESTION:
        raise BadRequestError(f"A question has up to {LONGEST_QUESTION} characters.", 413)
    return question


def _files(hits: Sequence[Hit]) -> set[str]:
    return {hit.passage.file for hit in hits}


def _with(passage: Passage, text: str) -> Passage:
    return Passage(passage.file, passage.digest, passage.kind, passage.title, passage.place, passage.position, text)
