"""Files that no reader of documents should trust, or can read, as a company's folders hold them beside good ones."""

from __future__ import annotations

import zipfile
from io import BytesIO

from tasks.documents.corpus import Made
from tasks.documents.writing import WRITTEN, repacked, written

BOMB = 64 << 20  # bytes that it unpacks to
GERMAN = (
    "Die Werkstatt bleibt am Freitag geschlossen, weil die neue Anlage eingebaut wird. Wer an diesem Tag ein Gerät "
    "braucht, meldet sich bitte bis Mittwoch bei der Leitung. Auch die Annahme von Paketen ist an diesem Tag nicht "
    "möglich; sie werden von der Firma nebenan angenommen und können dort bis zum Abend abgeholt werden.\n"
)


def bad_files() -> dict[str, bytes]:
    """Contents by path; what each is, its name says."""
    report = Made("report.pdf", "Quarterly report", (("", ("The third quarter closed with 212 orders.",)),))
    return {
        "incoming/encrypted.pdf": _encrypted(),
        "incoming/scanned.pdf": _scanned(),
        "incoming/broken.docx": written(Made("a.docx", "Broken", (("", ("Half of it is missing.",)),)))[:2000],
        "incoming/empty.txt": b"",
        "incoming/bomb.docx": _bomb(),
        "incoming/macros.docm": _with_macros(),
        "incoming/wrong-suffix.docx": written(report),
        "incoming/german.txt": GERMAN.encode(),
        "incoming/picture.png": _picture(),
    }


def _encrypted() -> bytes:
    from fpdf import FPDF

    pdf = FPDF()
    pdf.set_creation_date(WRITTEN)
    pdf.set_encryption(owner_password="owner", user_password="user")
    pdf.add_page()
    pdf.set_font("Helvetica", size=11)
    pdf.cell(text="Closed.")
    return bytes(pdf.output())


def _scanned() -> bytes:
    """A page that is a picture."""
    from fpdf import FPDF

    pdf = FPDF()
    pdf.set_creation_date(WRITTEN)
    pdf.add_page()
    pdf.image(BytesIO(_picture()), x=20, y=20, w=100)
    return bytes(pdf.output())


def _picture() -> bytes:
    from PIL import Image

    file = BytesIO()
    Image.linear_gradient("L").save(file, "PNG")
    return file.getvalue()


def _bomb() -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("word/document.xml", bytes(BOMB))
    return repacked(file.getvalue())


def _with_macros() -> bytes:
    file = BytesIO(written(Made("a.docx", "With macros", (("", ("It runs what is hidden in it.",)),))))
    with zipfile.ZipFile(file, "a") as packed:
        packed.writestr("word/vbaProject.bin", b"Sub AutoOpen")
    return repacked(file.getvalue())
