"""What is kept of Snakemake's graph: jobs that write, needs before those that need them, and what was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace

from headrank.jobs.plan import Planned
from headrank.workflow.plan import asked, first, planned


@dataclass(eq=False)
class Job:
    """As much of a job of Snakemake as is read."""

    name: str
    output: list[str]
    log: list[str]
    rule: SimpleNamespace = field(init=False)

    def __post_init__(self) -> None:
        self.rule = SimpleNamespace(name=self.name)


class Graph:
    """As much of Snakemake's graph as is read: levels of jobs, what has to run, and what was asked for."""

    def __init__(self, levels: list[set[Job]], needed: set[Job], files: set[str], rules: list[str]) -> None:
        self.levels, self.needed, self.targetfiles = levels, needed, files
        self.targetrules = [SimpleNamespace(name=name) for name in rules]
        self.untilrules: set[str] = set()
        self.untilfiles: set[str] = set()
        self.omitrules: set[str] = set()
        self.omitfiles: set[str] = set()

    def toposorted(self) -> Iterator[set[Job]]:
        yield from self.levels

    def needrun(self, job: Job) -> bool:
        return job in self.needed


BEFORE = Job("train_1", ["results/s/a.json", "elsewhere/b.json"], ["logs/s/train/m/x.log"])
AFTER = [Job("table", [f"results/s/tables/{n}.csv"], [f"logs/s/table/{n}.log"]) for n in "yx"]
TARGET = Job("all", [], [])


def test_jobs_stand_in_the_order_in_which_they_can_run() -> None:
    graph = Graph([{BEFORE}, {*AFTER}, {TARGET}], {BEFORE, AFTER[0]}, set(), ["all"])
    assert list(planned(graph, "results/s/")) == [
        # Files outside the study's folder are not its own.
        Planned("train_1", "logs/s/train/m/x.log", ("a.json",), True),
        Planned("table", "logs/s/table/x.log", ("tables/x.csv",), False),
        Planned("table", "logs/s/table/y.log", ("tables/y.csv",), True),
    ]


def test_what_was_asked_for_is_nothing_for_the_whole_study() -> None:
    assert asked(Graph([], set(), set(), ["all"]), "all") == []
    assert asked(Graph([], set(), {"results/s/b", "results/s/a"}, ["summary"]), "all") == [
        "results/s/a",
        "results/s/b",
        "summary",
    ]
    assert asked(Graph([], set(), {"results/s/a"}, ["all", "bench"]), "all") == []


def test_a_graph_that_is_cut_is_not_the_whole_study() -> None:
    graph = Graph([], set(), set(), ["all"])
    graph.untilrules, graph.omitfiles = {"train", "mine"}, {"results/s/a"}
    assert asked(graph, "all") == ["--until mine", "--until train", "--omit-from results/s/a"]


def test_the_manager_s_own_log_may_be_one_path_or_several_or_none() -> None:
    assert (first("x.log"), first(["y.log", "z.log"]), first([])) == ("x.log", "y.log", "")
