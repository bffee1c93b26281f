"""Words as the encoder reads them; what every text shares is in ``tasks.common.tokens``."""

from __future__ import annotations

from tasks.common.tokens import MOST_PIECES, PADDING, TOKENIZER, Integers, Tokens

__all__ = ["MOST_PIECES", "PADDING", "TOKENIZER", "Integers", "Tokens"]
