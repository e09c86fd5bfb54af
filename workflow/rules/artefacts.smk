"""What is evaluated and shown: the cells of each metrics file, and the frames behind each table and figure."""

# On part of its queries, generative methods cannot be compared on a benchmark: only their answers and costs are shown.
WHOLE = config["panel"] if config["generative"]["queries"] is None else config["generative"]["whole"]
# Adapters of the main table.
ADAPTERS = [*config["trained_baselines"], "headrank"]
# What each metrics file covers, beside the first stage.
SHOWN = {
    "main": [*study.frozen, *ADAPTERS, *(study.generative if WHOLE else [])],
    "ablation": ["headrank-untrained", "headrank", *config["ablation"]["variants"]],
    "queries": ["headrank-untrained", "headrank", *config["ablation"]["queries"]],
    "seeds": ["headrank-untrained", "headrank", *study.seeded],
}
SHOWN["fused"] = SHOWN["main"]
CONTROLS = {name: f"controls/{{backbone}}-{name}" for name in ("layers", "draws", "references")}
# Argument of the table's or figure's function -> metrics file; {backbone} stands for all backbones.
TABLES = {
    "first_stage": {"measured": "first-stage"},
    "main": {"metrics": "main", "marks": "significance-main"},
    "rivals": {"tests": "significance-rivals"},
    "fused": {"metrics": "fused", "marks": "significance-fused"},
    "claims": {"claims": "claims"},
    "selectivity": {"selectivity": "selectivity-main"},
    "homogenisation": {"measures": "homogenisation-measures"},
    "controls": CONTROLS,
    "transfer": {"transfer": "transfer/{backbone}"},
    "ablation": {
        "metrics": "ablation",
        "marks": "significance-ablation",
        "selectivity": "selectivity-ablation",
    },
    "seeds": {"metrics": "seeds"},
    "format": {"counts": "format"},
    "cost": {"costs": "cost"},
    "timing": {"benchmarks": "timing"},
    "frontier": {"metrics": "main", "seconds": "seconds/{backbone}"},
    "speed": {"rounds": "speed/{shape}"},
    "growth": {"rounds": "growth/{shape}"},
}
FIGURES = {
    "homogenisation": {"scores": "homogenisation"},
    "selectivity": {"selectivity": "selectivity-main"},
    "heads": {"scores": "heads", "selected": "heads-selected"},
    "head_maps": {"scores": "heads-criteria", "selected": "heads-selected"},
    "overlap": {"selected": "heads-selected"},
    "routes": {"routes": "routes"},
    "controls": CONTROLS,
    "depth": {"curves": "depth/{backbone}", "marks": "depth/{backbone}-marks"},
    "training": {"curves": "training"},
    "queries": {"curves": "query-curve", "references": "query-references"},
    "success": {"counts": "format"},
    "frontier": {"metrics": "main", "seconds": "seconds/{backbone}"},
    "speed": {"rounds": "speed/{shape}"},
    "growth": {"rounds": "growth/{shape}"},
}
# Of the machine, not of the study.
MEASURED = ["speed", "growth"]
NDCG = f"nDCG@{config['evaluation']['cutoff']}"
BACKBONES = list(config["backbones"])
ALPHA = config["evaluation"]["alpha"]
# Head sets by those who chose them, and all that the cost table needs.
CRITERIA = [*study.detected, *(["routehead"] if study.routed else []), "headrank"]
HEAD_CELLS = [
    (b, m) for b in BACKBONES for m in (*CRITERIA, *config["trained_baselines"]) if study.has_baseline(m, b)
]
OPTIONS = {
    ("table", "main"): {
        "metric": NDCG,
        "baseline": config["evaluation"]["baseline"],
        "backbones": BACKBONES,
        "benchmarks": config["panel"],
        "averages": config["averages"],
        "alpha": ALPHA,
    },
    ("table", "ablation"): {
        "metric": NDCG,
        "benchmarks": config["panel"],
        "averages": config["averages"],
        "alpha": ALPHA,
    },
    ("table", "rivals"): {
        "metric": NDCG,
        "backbones": BACKBONES,
        "panels": [*config["averages"], *(["mean"] if len(study.common) > 1 else study.common)],
        "averages": list(config["averages"]),
        "alpha": ALPHA,
    },
    ("table", "fused"): {
        "k": config["evaluation"]["fusion"],
        "metric": NDCG,
        "backbones": BACKBONES,
        "benchmarks": config["panel"],
        "averages": config["averages"],
        "alpha": ALPHA,
    },
    ("table", "claims"): {"backbones": BACKBONES, "alpha": ALPHA},
    ("table", "seeds"): {
        "seeds": {
            "headrank": config["headrank"]["training"]["seed"],
            **dict(zip(study.seeded, config["seeds"])),
        },
        "metric": NDCG,
        "backbones": BACKBONES,
        "benchmarks": config["panel"],
        "averages": config["averages"],
    },
    ("table", "selectivity"): {"backbones": BACKBONES, "averages": config["averages"]},
    ("table", "homogenisation"): {"backbones": BACKBONES, "averages": config["averages"]},
    ("figure", "homogenisation"): {"backbones": BACKBONES},
    ("figure", "selectivity"): {"backbones": BACKBONES},
    ("figure", "heads"): {"backbones": BACKBONES, "statistic": "selection", "label": "selection score"},
    ("figure", "head_maps"): {"backbones": BACKBONES[:4], "methods": CRITERIA},
    ("figure", "overlap"): {"backbones": BACKBONES, "methods": CRITERIA},
    ("figure", "routes"): {"backbones": BACKBONES, "benchmarks": config["panel"]},
    ("figure", "controls"): {"metric": NDCG, "backbones": BACKBONES, "benchmarks": study.common},
    ("table", "controls"): {
        "metric": NDCG,
        "backbones": BACKBONES,
        "benchmarks": study.common,
        "averages": config["averages"],
    },
    ("table", "transfer"): {"metric": NDCG, "backbones": BACKBONES, "benchmarks": study.common},
    ("figure", "depth"): {"backbones": BACKBONES, "metric": NDCG},
    ("figure", "training"): {"backbones": BACKBONES},
    ("figure", "queries"): {"metric": NDCG},
    ("figure", "success"): {"backbones": BACKBONES},
}
CLOCKED = {
    "metric": NDCG,
    "benchmarks": config["averages"].get(config["clock"]["average"], study.common),
    "backbones": BACKBONES,
}
OPTIONS |= {("table", "frontier"): CLOCKED, ("figure", "frontier"): CLOCKED}
# Methods that write an answer which a program has to read.
WRITING = ["rankgpt", "rankgpt-single", "setwise", "setwise-single"]
# What the paper's claims are judged on: the study's own mean, and its averages.
PANELS = {"mean": config["panel"], **config["averages"]}
# Backbones on which HeadRank's scores are means of logarithms.
LOGARITHMIC = [b for b in BACKBONES if study.headrank_of(b)["loss"]["score"] == "mean-log"]
ROUTE_CELLS = [(b, d) for b in BACKBONES for d in study.panel_of(b)]
ZONE = {key: config["evaluation"][key] for key in ("zone", "relevant_from", "irrelevant")}
RESAMPLING = {"n_resamples": config["evaluation"]["resamples"], "alpha": ALPHA, "seed": config["seed"]}
# Methods that the controls of head choice are drawn beside.
REFERENCES = [name for name in ("headrank-untrained", "core", "qrhead", "icr") if name in study.frozen]
# Trained methods that read each passage on its own.
INDEPENDENT = [
    m for m, over in study.trained.items() if over.get("encoding", {}).get("documents") == "independent"
]
QUERY_NUMBERS = {v: config["variants"][v]["training"]["queries"] for v in config["ablation"]["queries"]}
# Rules that have all run once the runs are evaluated.
TIMED = "synthesize fetch_collection collection index embed retrieve retrieve_dense first_stage passages training_set plant_backbone plant_realtext link_backbone fetch_backbone fetch_gguf unpack_gguf lists"
TIMED = [
    *TIMED.split(),
    "features",
    "detect",
    "route",
    "select",
    "mine",
    "train",
    "frozen",
    "rerank",
    "generate",
    "judge",
    "gather_features",
    "gather_frozen",
    "gather_rerank",
    "gather_generate",
    "gather_judge",
]
# Without variants there is nothing to show in these.
EVALUATED = ["main"]
EVALUATED += [
    scope for scope, key in (("ablation", "variants"), ("queries", "queries")) if config["ablation"][key]
]
EVALUATED += ["seeds"] if study.seeded else []
EVALUATED += ["fused"] if config["evaluation"]["fusion"] is not None else []


def cells(scope):
    """(backbone, benchmark, method) of each ranking by a model that a metrics file covers."""
    backbones = BACKBONES if scope in ("main", "seeds", "fused") else [study.ablated]
    places = [(b, d) for b in backbones for d in study.panel_of(b)]
    return [(b, d, m) for b, d in places for m in SHOWN[scope] if runs_on(m, b) and compares(m, d)]


def runs_on(method, backbone):
    """Whether a method runs on a backbone at all."""
    return backbone in study.judged if method == "qwen3-reranker" else study.has_baseline(method, backbone)


def compares(method, benchmark):
    """Whether a method has a ranking for every query of the benchmark."""
    return benchmark in WHOLE if method in study.generative else study.ranks(method, benchmark)


def told_cells(wildcards):
    """The cells of the main table, and those of generative methods that it leaves out."""
    places = [(b, d) for b in BACKBONES for d in study.panel_of(b)]
    more = [(b, d, m) for b, d in places for m in study.generative if runs_on(m, b) and not compares(m, d)]
    return cells("main") + more


def told_rankings(wildcards):
    return [f"{RESULTS}runs/{b}/{d}/{m}.parquet" for b, d, m in told_cells(wildcards)]


def told_calls(wildcards):
    """What generative methods answered, in the cells' order."""
    each = told_cells(wildcards)
    return [f"{RESULTS}runs/{b}/{d}/{m}.calls.jsonl.gz" for b, d, m in each if m in study.generative]


def adapters_of(backbone):
    """The backbone's adapters of the main table."""
    return [name for name in ADAPTERS if study.has_baseline(name, backbone)]


def clocked(wildcards):
    """Weights of the adapters that are timed."""
    names = adapters_of(wildcards.backbone)
    return [f"{RESULTS}adapters/{wildcards.backbone}/{v}/adapter_model.safetensors" for v in names]


def clocked_settings(wildcards):
    """What the adapters that are timed rank by."""
    return for_each(adapters_of(wildcards.backbone), settings_of(*RANKED_BY))(wildcards)


def models_of_claims():
    """Name on the hub of each backbone, empty for weights from elsewhere."""
    return {b: spec["id"] if spec["source"] == "hub" else "" for b, spec in config["backbones"].items()}


def claimed(wildcards):
    """Rankings before and after training, of which the claims compare the middle zones."""
    places = [f"{RESULTS}runs/{b}/{d}" for b in BACKBONES for d in study.panel_of(b)]
    return {
        "trained": [f"{place}/headrank.parquet" for place in places],
        "untrained": [f"{place}/headrank-untrained.parquet" for place in places],
        "calls": [f"{place}/rankgpt.calls.jsonl.gz" for place in places if "rankgpt" in study.generative],
    }


def cells_of(wildcards):
    return cells(wildcards.get("scope", "main"))


def rankings_of(wildcards):
    """The rankings of the cells, in their order."""
    return [f"{RESULTS}runs/{b}/{d}/{m}.parquet" for b, d, m in cells_of(wildcards)]


def runs_of(wildcards):
    """The runs of the cells, in their order."""
    return [f"{RESULTS}runs/{b}/{d}/{m}.trec" for b, d, m in cells_of(wildcards)]


def heads_of(wildcards):
    return [f"{RESULTS}heads/{b}/{m}.json" for b, m in HEAD_CELLS]


def tested(wildcards):
    """The metrics that tests are made on."""
    return f"{RESULTS}metrics/{'main' if wildcards.scope == 'rivals' else wildcards.scope}.parquet"


def fused_by(wildcards):
    """The constant by which runs are fused with the first stage before they are evaluated; None for not at all."""
    return config["evaluation"]["fusion"] if wildcards.scope == "fused" else None


def compared(wildcards):
    """(method, baseline) pairs of one family of tests."""
    if wildcards.scope == "rivals":
        return [("headrank", m) for m in ["bm25", *SHOWN["main"]] if m != "headrank"]
    if wildcards.scope == "fused":
        return [(m, "bm25") for m in SHOWN["fused"]]
    if wildcards.scope == "ablation":
        return [(m, "headrank") for m in SHOWN["ablation"] if m != "headrank"]
    baseline = config["evaluation"]["baseline"]
    pairs = [(m, baseline) for m in SHOWN["main"] if m != baseline]
    pairs += [("headrank", "headrank-untrained"), ("qrhead", "icr")]
    return [pair for pair in dict.fromkeys(pairs) if set(pair) <= {*SHOWN["main"], "bm25"}]


def frames(files):
    """Argument -> metrics files, where one name may stand for a file per backbone."""
    return {
        argument: expand(
            f"{RESULTS}metrics/{name}.parquet", backbone=BACKBONES, shape=config["bench"]["backbones"]
        )
        for argument, name in files.items()
    }


def table_frames(wildcards):
    return frames(TABLES[wildcards.table])


def figure_frames(wildcards):
    return frames(FIGURES[wildcards.figure])


def table_options(wildcards):
    return OPTIONS.get(("table", wildcards.table), {})


def figure_options(wildcards):
    return OPTIONS.get(("figure", wildcards.figure), {})


def paper():
    """Every table and figure of the study; those of the machine's speed are asked for by themselves."""
    tables = [
        name for name in TABLES if name not in ("ablation", "seeds", "fused", *MEASURED) or name in EVALUATED
    ]
    unclocked = set() if config["clock"]["queries"] else {"frontier"}
    # On one benchmark alone there is nowhere to go.
    unmoved = {"transfer"} if len(study.common) < 2 else set()
    tables = [name for name in tables if name not in unclocked | unmoved]
    absent = unclocked | {"queries", *MEASURED} - {*EVALUATED} | ({"routes"} if not study.routed else set())
    # One criterion alone overlaps with nothing.
    absent |= {"success"} if not {*WRITING} & {*study.generative} else set()
    absent |= {"overlap"} if len(CRITERIA) < 2 else set()
    figures = [name for name in FIGURES if name not in absent]
    return expand(f"{RESULTS}tables/{{t}}.{{e}}", t=tables, e=["csv", "tex", "md"]) + expand(
        f"{RESULTS}figures/{{f}}.{{e}}", f=figures, e=["pdf", "png"]
    )


def bench():
    """What the measurement of speed is shown in."""
    shown = MEASURED if config["bench"]["growth"] else ["speed"]
    tables = expand(built("tables/{t}.{e}"), t=shown, e=["csv", "tex", "md"])
    return tables + expand(built("figures/{t}.{e}"), t=shown, e=["pdf", "png"])


JUDGES = [study.reranker_of(b) for b in study.judged]
USED_MODELS = list(dict.fromkeys([*BACKBONES, *JUDGES]))
SCOPES = [cells(scope) for scope in EVALUATED]
# Every ranking that is evaluated or counted, without repetition, and the candidates behind them.
RUNS = dict.fromkeys(cell for scope in [*SCOPES, told_cells(None)] for cell in scope)
RUNS = [f"{RESULTS}runs/{b}/{d}/{m}.trec" for b, d, m in RUNS]
RUNS += [f"{RESULTS}collections/{c}/{n}.trec" for c in study.used for n in ("first-stage", "candidates")]
RUNS += [f"{RESULTS}{pool}/candidates.trec" for pool in study.detected_on]


def evidence():
    """What says where the tables and figures come from, and that no file has changed since."""
    return [built("provenance.json"), built("manifest.sha256"), *(f"{run}.yaml" for run in RUNS)]
