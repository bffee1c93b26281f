"""What every reader of a document needs, loaded once by the process that they are forked from (see ``sandbox``)."""

import markitdown.converters
import pdfminer.high_level

import tasks.documents.sandbox

__all__ = ["markitdown", "pdfminer", "tasks"]
