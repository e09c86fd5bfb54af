"""``headrank probability``: fit probabilities of relevance on judged queries, and see how they do on others."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrank.commands.inputs import (
    add_candidates,
    add_model,
    count,
    output_file,
    read_candidates,
    real,
)
from headrank.commands.method_options import add_method, add_prompt, asked_for
from headrank.errors import InputError, PrerequisiteError, UsageError

if TYPE_CHECKING:
    from headrank.data.trec import Qrels
    from headrank.methods.ready import Ready
    from headrank.probability.probability import Probability
    from headrank.rerankers import Candidates


def add(commands: Any) -> None:
    """Put the command into the grammar."""
    parser = commands.add_parser(
        "probability",
        help="fit probabilities of relevance, which can be compared across queries",
        description=(
            "Scores can be compared within a ranking only. A fitted probability of relevance can be compared across"
            " queries; Reranker gives it as relevance_score (docs/scores.md)."
        ),
    )
    actions = parser.add_subparsers(dest="action", required=True)
    fit = actions.add_parser(
        "fit",
        help="fit it on judged queries",
        description=(
            "Read the candidates of judged queries once, as the method ranks them, and fit a probability of relevance."
            " Needs scikit-learn: pip install 'headrank[probability]'. As probability.json in an adapter's folder it"
            " is found there by Reranker."
        ),
    )
    _add_judged(fit)
    fit.add_argument("--output", required=True, help="the file to write, such as probability.json")
    fit.add_argument(
        "--nothing",
        type=real(0, 0.9),
        default=0.2,
        help=(
            "how often lists have nothing relevant in them: each query is also read with the candidates of another,"
            " which weigh so much of the whole; 0 reads none (default: 0.2)"
        ),
    )
    fit.set_defaults(run_command=run_fit)
    report = actions.add_parser(
        "report",
        help="how it does on other judged queries",
        description=(
            "Print how well a probability fits judged queries that it was not fitted on: the expected calibration error"
            " and what its probabilities tell apart."
        ),
    )
    _add_judged(report)
    report.add_argument(
        "--probability",
        help="a file from `headrank probability fit` (default: the one in the adapter's folder)",
    )
    report.add_argument("--table", help="write the bins of the reliability diagram here (.csv)")
    report.add_argument("--figure", help="draw the reliability diagram here (.pdf, and .png beside it)")
    report.add_argument(
        "--nothing-relevant",
        action="store_true",
        help="also rank each query with the candidates of another one, which should get low probabilities",
    )
    report.set_defaults(run_command=run_report)


def _add_judged(parser: argparse.ArgumentParser) -> None:
    add_method(parser)
    add_prompt(parser)
    add_candidates(parser)
    parser.add_argument("--qrels", required=True, help="TREC judgements")
    parser.add_argument(
        "--relevance-level", type=count, default=1, help="lowest grade that counts as relevant (default: 1)"
    )
    parser.add_argument(
        "--unjudged",
        choices=["leave-out", "irrelevant"],
        default="leave-out",
        help="what candidates without a judgement count as (default: leave-out)",
    )
    parser.add_argument("--depth", type=count, help="candidates per query (default: 40, or as in training)")
    add_model(parser)


def run_fit(options: argparse.Namespace) -> None:
    from headrank.probability.fit import check_installed, fit_probability
    from headrank.probability.judged import read_signals, strangers, with_judgements
    from headrank.probability.made_with import made_with

    check_installed()
    output = output_file(options.output, options)
    ready, candidates, qrels = _read(options)
    made = made_with(ready)
    signals = read_signals(ready, candidates)
    own = with_judgements(signals, qrels, options.relevance_level, options.unjudged)
    strange = read_signals(ready, strangers(candidates, qrels)) if options.nothing else None
    told = {
        "run": Path(options.run).name,
        "qrels": Path(options.qrels).name,
        "relevance_level": options.relevance_level,
        "unjudged": options.unjudged,
        "depth": int(signals["documents"].max()),
    }
    fitted = fit_probability(own, made, told, strange, options.nothing)
    fitted.save(output)
    _print_fit(fitted, output)


def run_report(options: argparse.Namespace) -> None:
    from headrank.data.atomic import whole_file
    from headrank.evaluation.calibration import judge_calibration, reliability
    from headrank.probability.judged import read_signals, strangers, with_judgements
    from headrank.probability.rank import probability_of
    from headrank.probability.report import nothing_relevant, with_probabilities

    if options.figure:
        _check_plotting()
    table, figure = (output_file(path, options) if path else None for path in (options.table, options.figure))
    if not options.probability and not options.adapter:
        raise UsageError("--probability: name a file from `headrank probability fit`")
    ready, candidates, qrels = _read(options)
    probability = probability_of(ready, options.probability)
    if probability is None:
        raise UsageError(f"--probability: {options.adapter} has no probability.json; name a file")
    own = with_probabilities(read_signals(ready, candidates), probability)
    told = with_judgements(own, qrels, options.relevance_level, options.unjudged)
    judged = told[told["judged"]]
    found = judge_calibration(judged)
    print(f"queries\t{found.queries}\npassages\t{found.passages}\nrelevant\t{found.relevant}")
    print(
        f"calibration error\t{found.error:.4f}\tfrom {found.low:.4f} to {found.high:.4f}; if every probability were"
        f" exact, {found.by_chance:.4f} by chance"
    )
    print(f"log loss\t{found.log_loss:.4f}\tof the share of relevant passages, {found.base_log_loss:.4f}")
    print(f"Brier score\t{found.brier:.4f}\nAUC\t{found.auc:.4f}")
    bins = reliability(judged["probability"], judged["relevant"])
    if table:
        with whole_file(table) as temporary:
            bins.to_csv(temporary, index=False)
    if figure:
        _draw(bins, figure, ready.name)
    if options.nothing_relevant:
        others = with_probabilities(read_signals(ready, strangers(candidates, qrels)), probability)
        for row in nothing_relevant(own, others).itertuples():
            print(
                f"highest of a list, {row.lists} candidates\t{row.median:.4f}\tquartiles {row.lower:.4f} and"
                f" {row.upper:.4f}; at least 0.5 in {row.above_half:.0%} of {row.count} lists"
            )
        print(f"AUC of the highest, own against strange\t{nothing_relevant(own, others)['auc'].iloc[0]:.4f}")


def _read(options: argparse.Namespace) -> tuple[Ready, list[Candidates], Qrels]:
    """The method in memory, the candidates of the judged queries, and the judgements."""
    request = asked_for(options)
    queries, run, passages = read_candidates(options)

    from headrank.data.trec import read_qrels
    from headrank.methods.ready import depth_of, located, make_ready
    from headrank.rerankers import gather_candidates

    request = located(request)
    qrels = read_qrels(options.qrels)
    judged = {qid: ranked for qid, ranked in run.items() if qid in qrels}
    if not judged:
        raise InputError(f"{options.qrels}: judges none of the run's queries")
    candidates = gather_candidates(queries, judged, passages, options.depth or depth_of(request))
    return make_ready(request, dtype=options.dtype, device=options.device), candidates, qrels


def _print_fit(fitted: Probability, output: Path) -> None:
    told = fitted.provenance
    print(f"{output}: signal {fitted.signal}, curve {fitted.curve.form}")
    print(
        f"{told['relevant']} of {told['passages']} judged passages of {told['queries']} queries are relevant"
    )
    for name, loss in told["heldout_log_loss"].items():
        print(f"  log loss on held-out queries, {name}\t{'does not rise' if loss is None else f'{loss:.4f}'}")


def _check_plotting() -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise PrerequisiteError(
            "matplotlib is not installed, which draws figures; pip install 'headrank[plot]'"
        ) from None


def _draw(bins: Any, path: Path, title: str) -> None:
    from headrank.figures.reliability import draw_reliability
    from headrank.figures.style import save_figure

    save_figure(draw_reliability(bins, title), pdf=path, png=path.with_suffix(".png"))
