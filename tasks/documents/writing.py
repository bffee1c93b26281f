"""Write a made document as a file of its kind. The same document gives the same bytes."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from html import escape
from io import BytesIO
from pathlib import PurePosixPath

from tasks.documents.corpus import Made

WRITTEN = datetime(2026, 11, 2, 9, tzinfo=UTC)
_ZIP_TIME = (2026, 11, 2, 9, 0, 0)


def written(made: Made) -> bytes:
    return _WRITERS[PurePosixPath(made.path).suffix](made)


def _pdf(made: Made) -> bytes:
    """A page for each heading."""
    from fpdf import FPDF

    pdf = FPDF()
    pdf.set_title(made.title)
    pdf.set_creation_date(WRITTEN)
    for heading, paragraphs in made.parts:
        pdf.add_page()
        pdf.set_font("Helvetica", "B", 15)
        pdf.multi_cell(0, 9, heading or made.title, new_x="LMARGIN", new_y="NEXT")
        pdf.set_font("Helvetica", size=11)
        for paragraph in paragraphs:
            pdf.multi_cell(0, 6, paragraph, new_x="LMARGIN", new_y="NEXT")
            pdf.ln(3)
    return bytes(pdf.output())


def _docx(made: Made) -> bytes:
    from docx import Document

    document, file = Document(), BytesIO()
    facts = document.core_properties
    facts.title, facts.author, facts.created, facts.modified = made.title, "Norvik Instruments", WRITTEN, WRITTEN
    document.add_heading(made.title, 0)
    for heading, paragraphs in made.parts:
        if heading:
            document.add_heading(heading, 1)
        for paragraph in paragraphs:
            document.add_paragraph(paragraph)
    document.save(file)
    return repacked(file.getvalue())


def _pptx(made: Made) -> bytes:
    """A slide for each heading."""
    from pptx import Presentation

    presentation, file = Presentation(), BytesIO()
    facts = presentation.core_properties
    facts.title, facts.author, facts.created, facts.modified = made.title, "Norvik Instruments", WRITTEN, WRITTEN
    for heading, paragraphs in made.parts:
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = heading or made.title
        slide.placeholders[1].text = "\n".join(paragraphs)
    presentation.save(file)
    return repacked(file.getvalue())


def repacked(packed: bytes) -> bytes:
    """The same archive with one time for all that is in it."""
    file = BytesIO()
    with zipfile.ZipFile(BytesIO(packed)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.infolist():
            new.writestr(zipfile.ZipInfo(part.filename, _ZIP_TIME), old.read(part), zipfile.ZIP_DEFLATED)
    return file.getvalue()


def _html(made: Made) -> bytes:
    lines = []
    for heading, paragraphs in made.parts:
        lines += [f"<h2>{escape(heading)}</h2>"] if heading else []
        lines += [f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs]
    title = escape(made.title)
    return "\n".join(
        ["<!doctype html>", f"<html><head><title>{title}</title><script>let seen = 1</script></head>",
         f"<body><h1>{title}</h1>", *lines, "</body></html>", ""]
    ).encode()  # fmt: skip


def _markdown(made: Made) -> bytes:
    parts = [f"# {made.title}"]
    for heading, paragraphs in made.parts:
        parts += [f"## {heading}"] if heading else []
        parts += paragraphs
    return ("\n\n".join(parts) + "\n").encode()


def _text(made: Made) -> bytes:
    parts = [made.title]
    for heading, paragraphs in made.parts:
        parts += [heading] if heading else []
        parts += paragraphs
    return ("\n\n".join(parts) + "\n").encode()


def _mail(made: Made) -> bytes:
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"] = "Office <office@norvik-example.com>", "Everybody <all@norvik-example.com>"
    mail["Date"], mail["Subject"] = WRITTEN, made.title
    mail.set_content("\n\n".join(paragraph for _, paragraphs in made.parts for paragraph in paragraphs) + "\n")
    return mail.as_bytes()


_WRITERS: dict[str, Callable[[Made], bytes]] = {
    ".pdf": _pdf,
    ".docx": _docx,
    ".pptx": _pptx,
    ".html": _html,
    ".md": _markdown,
    ".txt": _text,
    ".eml": _mail,
}
