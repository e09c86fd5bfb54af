"""The paper's claims judged by all that a study measured, backbone by backbone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from headrank.evaluation.findings import Measurements, findings
from headrank.evaluation.metric import Qrels
from headrank.evaluation.middle_zone import ZoneSettings
from headrank.evaluation.selectivity import zone_counts, zone_documents
from headrank.evaluation.significance import Resampling
from headrank.evaluation.verdicts import claim_rows, claims_frame, rows_not_run, standing

Place = tuple[str, str]
"""(backbone, benchmark)."""


@dataclass(frozen=True)
class Evidence:
    """What a study measured.

    values: one metric, columns backbone, benchmark, method, qid, value. kinds: method -> its kind. trained, untrained:
    HeadRank's rankings after and before training. qrels: of each benchmark. costs, formats: see ``cost_table`` and
    ``format_table``. calls: what RankGPT answered. queries: on how many queries each backbone was trained.
    """

    values: pd.DataFrame
    kinds: Mapping[str, str]
    trained: Mapping[Place, pd.DataFrame]
    untrained: Mapping[Place, pd.DataFrame]
    qrels: Mapping[str, Qrels]
    costs: pd.DataFrame
    formats: pd.DataFrame
    calls: Mapping[Place, pd.DataFrame]
    queries: Mapping[str, int]

    def of(self, backbone: str, zone: ZoneSettings) -> Measurements:
        """The part for one backbone."""
        mine = self.values[self.values["backbone"] == backbone]
        benchmarks = [benchmark for name, benchmark in self.trained if name == backbone]
        return Measurements(
            values={
                str(name): part.pivot(index="qid", columns="method", values="value")
                for name, part in mine.groupby("benchmark", sort=False)
            },
            kinds={method: self.kinds[method] for method in mine["method"].unique()},
            trained={d: self._zone(self.trained, (backbone, d), zone) for d in benchmarks},
            untrained={d: self._zone(self.untrained, (backbone, d), zone) for d in benchmarks},
            costs=self.costs[self.costs["backbone"] == backbone].set_index("method"),
            formats=self.formats[
                (self.formats["backbone"] == backbone) & (self.formats["method"] == "headrank")
            ],
            calls={benchmark: calls for (name, benchmark), calls in self.calls.items() if name == backbone},
            queries=self.queries[backbone],
        )

    def _zone(self, rankings: Mapping[Place, pd.DataFrame], place: Place, zone: ZoneSettings) -> pd.DataFrame:
        documents = zone_documents(rankings[place], self.qrels[place[1]], zone, self.untrained[place])
        return zone_counts(documents)


def judged_claims(
    evidence: Evidence,
    models: Mapping[str, str],
    panels: Mapping[str, Sequence[str]],
    zone: ZoneSettings,
    settings: Resampling,
    *,
    synthetic: bool,
    depth: int,
    metric: str,
) -> pd.DataFrame:
    """A row per claim, backbone and panel, and one for each claim about models that the study lacks.

    models: backbone -> name on the hub, empty for weights from elsewhere. panels: name -> benchmarks. The last
    three: see ``standing``. Columns: ``verdicts.COLUMNS``.
    """
    rows = rows_not_run(models.values())
    for backbone, model in models.items():
        of = evidence.of(backbone, zone)
        faults = standing(model, of.queries, synthetic, depth, metric)
        rows += claim_rows(backbone, model, findings(of, panels, settings), panels, faults)
    return claims_frame(rows)
