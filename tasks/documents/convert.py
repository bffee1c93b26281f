"""What a document says, in sections that name their place: PDF, DOCX, PPTX, HTML, Markdown, plain text and mail.

What a file is, its content decides, not its name. Word, PowerPoint and HTML are read by markitdown, PDF page by page by
pdfminer, so that every sentence keeps the page, slide, heading or lines it stands at. A document is somebody else's:
``sandbox`` calls this in a process of its own.
"""

from __future__ import annotations

import email
import email.policy
import html
import re
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path
from typing import Any

SUFFIXES = {
    "pdf": (".pdf",),
    "docx": (".docx",),
    "pptx": (".pptx",),
    "html": (".html", ".htm"),
    "md": (".md", ".markdown"),
    "txt": (".txt", ".text"),
    "eml": (".eml",),
}
NAMES = {"pdf": "a PDF", "docx": "a Word document", "pptx": "a PowerPoint presentation", "html": "a page of HTML"}
MOST_UNPACKED = 256 << 20
MOST_PACKED = 100  # times its size that a packed document may unpack to, beyond the first megabytes
SMALL = 16 << 20
MOST_PAGES = 5000
MOST_CHARACTERS = 20_000_000
LONGEST_TITLE = 200
BLOCK = 1200  # characters of plain text after which a paragraph ends a section
SLIDE = re.compile(r"<!-- Slide number: (\d+) -->")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$")
_OLE = b"\xd0\xcf\x11\xe0"
_TITLE = re.compile(r"<dc:title>(.*?)</dc:title>", re.DOTALL)
_MACROS = "vbaproject.bin"
_PARTS = {"docx": "word/document.xml", "pptx": "ppt/presentation.xml"}


class Unreadable(Exception):
    """Why a document cannot be read, as the end of a sentence that begins with its name."""


@dataclass(frozen=True)
class Section:
    """A part of a document; ``place`` as a person says it: page 3, slide 2, heading Hotels, lines 10-24."""

    place: str
    text: str


@dataclass(frozen=True)
class Document:
    """``title`` is empty where the document gives none; ``remarks`` say what was odd or left out, with a final stop."""

    kind: str
    title: str
    sections: tuple[Section, ...]
    remarks: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Document:
        sections = tuple(Section(**section) for section in told["sections"])
        return cls(told["kind"], told["title"], sections, tuple(told["remarks"]))


def read(path: Path) -> Document:
    """Raises Unreadable for what is no document, is closed or broken, or holds no text."""
    if not path.stat().st_size:
        raise Unreadable("is empty")
    kind = kind_of(path)
    title, found, remarks = _READERS[kind](path)
    sections = tuple(section for section in map(_cleaned, found) if section.text)
    if not sections:
        raise Unreadable("holds no text")
    if sum(len(section.text) for section in sections) > MOST_CHARACTERS:
        raise Unreadable(f"holds more than {MOST_CHARACTERS:,} characters; divide it")
    return Document(kind, _plain(title)[:LONGEST_TITLE], sections, (*_misnamed(path, kind), *remarks))


def kind_of(path: Path) -> str:
    """Return what a file is by its content. Raises Unreadable for what is none of the kinds that are read."""
    with path.open("rb") as file:
        head = file.read(4096)
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if head.startswith(b"PK"):
        return _packed(path)
    if head.startswith(_OLE):
        raise Unreadable("is closed by a password, or of an Office before 2007; save it anew, without a password")
    text = head.decode("utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1", errors="replace")
    if "\0" in text:
        raise Unreadable(f"is none of the kinds that are read ({', '.join(SUFFIXES)})")
    by_name = next((kind for kind, ends in SUFFIXES.items() if path.suffix.lower() in ends), "")
    if by_name in ("html", "md", "txt", "eml"):
        return by_name
    return "html" if re.match(r"\s*<(!doctype\s+html|html)\b", text, re.IGNORECASE) else "txt"


def _packed(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as packed:
            parts = packed.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise Unreadable("is broken: what is packed in it cannot be listed") from None
    size, unpacked = path.stat().st_size, sum(part.file_size for part in parts)
    if unpacked > MOST_UNPACKED or (unpacked > SMALL and unpacked > MOST_PACKED * size):
        raise Unreadable(f"would unpack from {_mb(size)} to {_mb(unpacked)}, as a zip bomb does; it is left packed")
    if any(part.flag_bits & 1 for part in parts):
        raise Unreadable("is closed by a password; save it without one")
    names = {part.filename.lower() for part in parts}
    if any(name.endswith(_MACROS) for name in names):
        raise Unreadable("holds macros; save it without them, as .docx or .pptx")
    for kind, part in _PARTS.items():
        if part in names:
            return kind
    raise Unreadable(f"is an archive or of a kind that is not read; read are {', '.join(SUFFIXES)}")


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _misnamed(path: Path, kind: str) -> tuple[str, ...]:
    if path.suffix.lower() in SUFFIXES[kind]:
        return ()
    return (f"It is named {path.suffix or 'without a suffix'} but is {NAMES.get(kind, 'plain text')}, and read so.",)


Read = tuple[str, list[Section], tuple[str, ...]]


def _pdf(path: Path) -> Read:
    from pdfminer.high_level import extract_pages
    from pdfminer.layout import LTTextContainer
    from pdfminer.pdfdocument import PDFDocument, PDFEncryptionError, PDFPasswordIncorrect
    from pdfminer.pdfparser import PDFParser
    from pdfminer.psexceptions import PSException
    from pdfminer.utils import decode_text

    pages = []
    try:
        with path.open("rb") as file:
            facts = PDFDocument(PDFParser(file)).info
            for number, page in enumerate(extract_pages(file, maxpages=MOST_PAGES + 1), 1):
                boxes = [box.get_text() for box in page if isinstance(box, LTTextContainer)]
                pages.append(Section(f"page {number}", "\n".join(" ".join(box.split()) for box in boxes)))
    except (PDFPasswordIncorrect, PDFEncryptionError):
        raise Unreadable("is closed by a password; save it without one") from None
    except (PSException, ValueError, TypeError, KeyError, AssertionError, AttributeError, IndexError) as error:
        raise Unreadable(f"is broken: no PDF reader makes sense of it ({type(error).__name__})") from None
    if len(pages) > MOST_PAGES:
        raise Unreadable(f"has more than {MOST_PAGES} pages; divide it")
    if not pages:
        raise Unreadable("is broken: it has no page")
    if not any(page.text.strip() for page in pages):
        raise Unreadable(f"is scanned: {len(pages)} pages are pictures without text; let OCR add it")
    titles = [decode_text(title) for fact in facts if isinstance(title := fact.get("Title"), bytes)]
    return (titles[0] if titles else ""), pages, ()


def _word(path: Path) -> Read:
    _, text = _markitdown(path, "docx")
    return _title_of_office(path), list(_by_headings(text)), ()


def _slides(path: Path) -> Read:
    _, text = _markitdown(path, "pptx")
    _, *parts = SLIDE.split(text)
    slides = [Section(f"slide {number}", said) for number, said in zip(parts[::2], parts[1::2], strict=True)]
    return _title_of_office(path), slides, ()


def _title_of_office(path: Path) -> str:
    """Return the title among a file's properties; "" where it has none that can be read."""
    try:
        with zipfile.ZipFile(path) as packed:
            found = _TITLE.search(packed.read("docProps/core.xml").decode(errors="replace"))
    except (KeyError, zipfile.BadZipFile):
        return ""
    title = html.unescape(found[1]) if found else ""
    return "" if title in ("PowerPoint Presentation", "Word Document") else title


def _page(path: Path) -> Read:
    title, text = _markitdown(path, "html")
    return title, list(_by_headings(text)), ()


def _markitdown(path: Path, kind: str) -> tuple[str, str]:
    """Return title and Markdown of a file, by the converter of its kind alone: none that would reach for a network."""
    from markitdown import StreamInfo
    from markitdown.converters import DocxConverter, HtmlConverter, PptxConverter

    converter = {"docx": DocxConverter, "pptx": PptxConverter, "html": HtmlConverter}[kind]()
    content = _text_of(path).encode() if kind == "html" else path.read_bytes()
    try:
        told = converter.convert(BytesIO(content), StreamInfo(extension=f".{kind}", charset="utf-8"))
    except Exception as error:  # its readers raise whatever the foreign file makes of them
        raise Unreadable(f"is broken: it cannot be read as {NAMES[kind]} ({type(error).__name__})") from None
    return told.title or "", told.markdown


def _markdown(path: Path) -> Read:
    text = _text_of(path)
    headings = filter(None, map(HEADING.match, text.splitlines()))
    title = next((heading[1] for heading in headings), "")
    return title, list(_by_headings(text)), ()


def _plain_text(path: Path) -> Read:
    return "", list(_by_lines(_text_of(path))), ()


def _mail(path: Path) -> Read:
    message = email.message_from_bytes(path.read_bytes(), _class=EmailMessage, policy=email.policy.default)
    if not message["From"] and not message["Subject"]:
        raise Unreadable("is broken: a mail has a sender and a subject")
    head = "\n".join(f"{name}: {message[name]}" for name in ("From", "To", "Date", "Subject") if message[name])
    body = message.get_body(preferencelist=("plain", "html"))
    text = str(body.get_content()) if body else ""
    if body and body.get_content_subtype() == "html":
        from bs4 import BeautifulSoup

        text = BeautifulSoup(text, "html.parser").get_text("\n")
    left = [part.get_filename() or "one without a name" for part in message.iter_attachments()]
    remarks = (f"What is attached to it is not read: {', '.join(left)}.",) if left else ()
    return str(message["Subject"] or ""), [Section("head of the mail", head), Section("mail", text)], remarks


_READERS = {
    "pdf": _pdf,
    "docx": _word,
    "pptx": _slides,
    "html": _page,
    "md": _markdown,
    "txt": _plain_text,
    "eml": _mail,
}


def _text_of(path: Path) -> str:
    content = path.read_bytes()
    codecs = ("utf-16",) if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252")
    for codec in codecs:
        try:
            return content.decode(codec)
        except UnicodeDecodeError:
            continue
    raise Unreadable("is no text: neither UTF-8, UTF-16 nor Windows-1252")


def _by_headings(text: str) -> Iterator[Section]:
    """Each heading of Markdown with what stands under it; what comes before the first is the beginning."""
    place, lines = "beginning", list[str]()
    for line in text.splitlines():
        heading = HEADING.match(line)
        if heading:
            yield _under(place, lines)
            place, lines = f"heading {heading[1]}", [heading[1]]
        else:
            lines.append(line)
    yield _under(place, lines)


def _under(place: str, lines: Sequence[str]) -> Section:
    """A heading alone says nothing that its document's title or the headings below do not."""
    alone = place.startswith("heading ") and not any(line.strip() for line in lines[1:])
    return Section(place, "" if alone else "\n".join(lines))


def _by_lines(text: str) -> Iterator[Section]:
    """Paragraphs of plain text, as many together as fill a block, with the lines they stand at."""
    first, lines, size = 1, list[str](), 0
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() and size >= BLOCK:
            yield _lines(first, lines)
            first, lines, size = number + 1, [], 0
            continue
        lines.append(line)
        size += len(line)
    yield _lines(first, lines)


def _lines(first: int, lines: Sequence[str]) -> Section:
    told = [number for number, line in enumerate(lines, first) if line.strip()]
    if not told:
        return Section("", "")
    one, last = told[0], told[-1]
    return Section(f"line {one}" if one == last else f"lines {one}-{last}", "\n".join(lines))


def _cleaned(section: Section) -> Section:
    """In one form of each letter, and without signs that nobody sees, which could hide words in a text."""
    lines = [_plain(line) for line in section.text.splitlines()]
    return Section(_plain(section.place), re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip())


def _plain(line: str) -> str:
    line = " ".join(unicodedata.normalize("NFKC", line).split())
    return line if line.isprintable() else "".join(filter(str.isprintable, line))
