"""Who made this software and whose method it is; the same as in CITATION.cff, which an installed package lacks."""

from __future__ import annotations

TITLE = "HeadRank, reproducible"
SOFTWARE_AUTHORS = ("The contributors of the HeadRank reproduction",)
SOFTWARE_LICENCE = "Apache-2.0"
PAPER = "2604.17237"
PAPER_TITLE = "HeadRank: Decoding-Free Passage Reranking via Preference-Aligned Attention Heads"
PAPER_YEAR = 2026
PAPER_AUTHORS = (
    ("Juyuan", "Wang"),
    ("Chenxing", "Wang"),
    ("Yuchen", "Fang"),
    ("Huiyun", "Hu"),
    ("Junwu", "Du"),
    ("Aolin", "Li"),
    ("Haijun", "Wu"),
    ("Jin", "Xu"),
    ("Ligang", "Liu"),
    ("Dongliang", "Liao"),
)
BIBTEX = f"""@misc{{headrank{PAPER_YEAR},
  title = {{{{{PAPER_TITLE}}}}},
  author = {{{" and ".join(f"{family}, {given}" for given, family in PAPER_AUTHORS)}}},
  year = {{{PAPER_YEAR}}},
  eprint = {{{PAPER}}},
  archivePrefix = {{arXiv}}
}}"""
