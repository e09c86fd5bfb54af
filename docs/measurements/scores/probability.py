"""Probabilities of a real model, fitted on TREC DL 2021 and tested on DL 2019, and on lists with nothing relevant.

HEADRANK_DATA=... python docs/measurements/scores/probability.py --heads headrank.json --work FOLDER

Heads: of ``make pretrained-quick`` (results/pretrained-quick/heads/smollm2-135m/headrank.json). The signals of each
list are kept in the work folder, so that the script can be stopped and goes on. Nothing is chosen on DL 2019.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import torch

from headrank.data.atomic import write_parquet
from headrank.data.collections import open_collection
from headrank.data.frames import read_parquet
from headrank.data.trec import read_qrels, read_run
from headrank.evaluation.calibration import judge_calibration, reliability
from headrank.figures.reliability import draw_reliability
from headrank.figures.style import save_figure
from headrank.methods.ready import Ready, make_ready
from headrank.methods.request import Request
from headrank.probability.fit import fit_probability
from headrank.probability.judged import read_signals, strangers, with_judgements
from headrank.probability.made_with import made_with
from headrank.probability.report import nothing_relevant, with_probabilities
from headrank.rerankers import Candidates, gather_candidates

HERE = Path(__file__).parent
DEPTH, WORDS, LEVEL = 20, 60, 2


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--heads", required=True)
    parser.add_argument("--backbone", default="SmolLM2-135M-Instruct.Q4_1.gguf")
    parser.add_argument("--method", default="qrhead-ratio")
    parser.add_argument("--family", default="qwen2.5")
    parser.add_argument("--name", default="smollm2-135m")
    parser.add_argument("--work", required=True, type=Path)
    parser.add_argument(
        "--only", help="read these lists only, such as dl19 or dl19-strange, and write no tables"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    ready = make_ready(
        Request(
            options.method,
            backbone=options.backbone,
            heads=options.heads,
            family=options.family,
            truncate_words=WORDS,
        )
    )
    training, train_qrels = candidates_of("dl21")
    test, test_qrels = candidates_of("dl19")
    lists = {
        "dl21": training,
        "dl21-strange": strangers(training, train_qrels),
        "dl19": test,
        "dl19-strange": strangers(test, test_qrels),
    }
    read = {
        name: signals_of(ready, listed, options.work / f"{options.name}-{name}")
        for name, listed in lists.items()
        if options.only in (None, name)
    }
    if options.only:
        return
    told = {"collection": "TREC DL 2021", "relevance_level": LEVEL}
    own = with_judgements(read["dl21"], train_qrels, LEVEL)
    fitted = fit_probability(own, made_with(ready), told, read["dl21-strange"])
    fitted.save(HERE / f"{options.name}_probability.json")
    rows, bins = [], []
    for name, qrels in (("dl21", train_qrels), ("dl19", test_qrels)):
        every = with_judgements(with_probabilities(read[name], fitted), qrels, LEVEL)
        judged = every[every["judged"]]
        rows.append({"model": options.name, "queries_of": name, **asdict(judge_calibration(judged))})
        table = reliability(judged["probability"], judged["relevant"])
        bins.append(table.assign(model=options.name, queries_of=name))
    test_own, test_strange = (with_probabilities(read[name], fitted) for name in ("dl19", "dl19-strange"))
    nothing = nothing_relevant(test_own, test_strange).assign(model=options.name)
    for name, frame in (
        ("calibration", pd.DataFrame(rows)),
        ("reliability", pd.concat(bins)),
        ("nothing_relevant", nothing),
    ):
        frame.round(4).to_csv(HERE / f"{name}_{options.name}.csv", index=False)
    draw(bins[-1], options.name)


def draw(bins: pd.DataFrame, name: str) -> None:
    """The diagram of the test queries."""
    figure = HERE / f"reliability_{name}"
    save_figure(
        draw_reliability(bins, "DL 2019"), pdf=figure.with_suffix(".pdf"), png=figure.with_suffix(".png")
    )


def candidates_of(name: str) -> tuple[list[Candidates], dict[str, dict[str, int]]]:
    folder = Path(os.environ["HEADRANK_DATA"], name)
    collection = open_collection(name, {"source": "local", "path": str(folder)})
    run = {qid: ranked[:DEPTH] for qid, ranked in sorted(read_run(folder / "run.bm25.trec").items())}
    passages = collection.lookup({docid for ranked in run.values() for docid, _ in ranked})
    return gather_candidates(collection.queries(), run, passages, DEPTH), read_qrels(folder / "qrels.trec")


def signals_of(ready: Ready, candidates: list[Candidates], folder: Path) -> pd.DataFrame:
    parts = []
    for c in candidates:
        path = folder / f"{c.qid}.parquet"
        if not path.exists():
            write_parquet(path, read_signals(ready, [c]))
            print(path, flush=True)
        parts.append(read_parquet(path))
    return pd.concat(parts, ignore_index=True)


if __name__ == "__main__":
    main()
