"""Writing systems that put no blanks between words: there, what stands between two blanks is a phrase."""

from __future__ import annotations

import re

# Thai, Lao, Burmese, Khmer; Han and kana with their punctuation, also at half width.
_RANGES = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff\uff61-\uff9f\U00020000-\U0003ffff"
)
# Nothing parts the words.
UNDIVIDED = re.compile(f"[{_RANGES}]")
# Tibetan has no blanks either, but a point after every syllable.
WITHOUT_BLANKS = re.compile(f"[{_RANGES}\u0f00-\u0fff]")
