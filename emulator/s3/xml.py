"""S3's XML: written from plain values, read back from the two requests that carry it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from emulator.s3 import errors

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
MAX_DOCUMENT_BYTES = 2 << 20

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
Content = list[tuple[str, Any]]


def document(name: str, content: Content) -> bytes:
    """`content` is a list of (element, value); a value is text, a number, a flag, or another such list."""
    return f'{_HEAD}<{name} xmlns="{NAMESPACE}">{_elements(content)}</{name}>'.encode()


def error(code: str, message: str, resource: str, request_id: str) -> bytes:
    content: Content = [("Code", code), ("Message", message), ("Resource", resource), ("RequestId", request_id)]
    return f"{_HEAD}<Error>{_elements(content)}</Error>".encode()


def parsed(body: bytes, root: str) -> ElementTree.Element:
    """The document's root with namespaces taken off. Entity declarations are refused before they can expand."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise errors.S3Error("MalformedXML", "The XML must not declare a document type.")
    try:
        tree = ElementTree.fromstring(body)  # noqa: S314 - no entities, as checked above
    except ElementTree.ParseError as e:
        raise errors.S3Error("MalformedXML", f"The body is not well-formed XML: {e}.") from e
    for element in tree.iter():
        element.tag = element.tag.rpartition("}")[2]
    if tree.tag != root:
        raise errors.S3Error("MalformedXML", f"The body must be a <{root}> document, not <{tree.tag}>.")
    return tree


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


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
    return "".join(c if c >= " " or c in "\t\n\r" else "\ufffd" for c in escape(str(value)))
