"""S3's XML: written from plain values, read back from the two requests that carry it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from emulator.s3 import errors

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
MAX_DOCUMENT_BYTES = 2 << 20
MAX_DEPTH = 20

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENCODING = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([^\"']*)")
_YEAR_10000 = 253_402_300_800
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
Content = list[tuple[str, Any]]


def document(name: str, content: Content) -> bytes:
    """`content` is a list of (element, value); a value is text, a number, a flag, or another such list."""
    return f'{_HEAD}<{name} xmlns="{NAMESPACE}">{_elements(content)}</{name}>'.encode()


def error(refused: errors.S3Error, resource: str, request_id: str) -> bytes:
    content: Content = [("Code", refused.code), ("Message", refused.message)]
    if refused.condition:
        content.append(("Condition", refused.condition))
    content += [("Resource", resource), ("RequestId", request_id)]
    return f"{_HEAD}<Error>{_elements(content)}</Error>".encode()


def parsed(body: bytes, root: str) -> ElementTree.Element:
    """The document's root with namespaces taken off. Entity declarations are refused before they can expand."""
    declared = _ENCODING.match(body)
    if declared and declared[1].lower() not in (b"utf-8", b"us-ascii"):
        raise errors.S3Error("MalformedXML", "The XML must be in UTF-8.")
    parser = ElementTree.XMLParser(target=_Builder(), encoding="utf-8")  # noqa: S314 - _Builder refuses entities
    try:
        parser.feed(body)
        tree = parser.close()
    except (ElementTree.ParseError, LookupError, ValueError) as e:
        raise errors.S3Error("MalformedXML", f"The body is not well-formed XML in UTF-8: {e}.") from e
    for element in tree.iter():
        element.tag = element.tag.rpartition("}")[2]
    if tree.tag != root:
        raise errors.S3Error("MalformedXML", f"The body must be a <{root}> document, not <{tree.tag}>.")
    return tree


class _Builder(ElementTree.TreeBuilder):
    """Builds the few levels S3's documents have, and stops at the first sign of anything that could grow."""

    _depth = 0

    def doctype(self, *_: object) -> None:
        raise errors.S3Error("MalformedXML", "The XML must not declare a document type.")

    def start(self, tag: Any, attrs: Any, /) -> ElementTree.Element:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise errors.S3Error("MalformedXML", f"The XML may have {MAX_DEPTH} levels of elements.")
        return super().start(tag, attrs)

    def end(self, tag: Any, /) -> ElementTree.Element:
        self._depth -= 1
        return super().end(tag)


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(sane(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def sane(seconds: float) -> float:
    """A file's time as a calendar can show it; some file systems keep any number."""
    return min(max(seconds, 0), _YEAR_10000 - 1)


def key(text: str, encoding: str) -> str:
    """A key as the client asked to have it: with `encoding-type=url` percent-encoded."""
    return quote(text, safe="/-_.~*") if encoding == "url" else text


def _elements(content: Content) -> str:
    return "".join(f"<{name}>{_value(value)}</{name}>" for name, value in content)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return _elements(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    # XML 1.0 has no way to write control characters; clients that expect them ask for encoding-type=url.
    return _NOT_XML.sub("\ufffd", escape(str(value)))
