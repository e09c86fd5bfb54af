rule claims:
    input:
        **cells.claimed(),
        metrics=built("metrics/main.parquet"),
        costs=built("metrics/cost.parquet"),
        formats=built("metrics/format.parquet"),
        qrels=expand(built("collections/{d}/qrels.trec"), d=config["panel"]),
        heads=expand(built("heads/{b}/headrank.json"), b=config["backbones"]),
    output:
        claims=built("metrics/claims.parquet"),
    log:
        logged("claims.log"),
    benchmark:
        built("benchmarks/claims.tsv")
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
        gpu=0,
    params:
        library=library("claims", loads=modules_of_metrics([METRIC])),
        models=cells.models_of_claims(),
        panels=PANELS,
        synthetic=any(config["collections"][c]["source"] == "synthetic" for c in collections.used),
        depth=lookup("headrank/candidates/depth", within=config),
        metric=METRIC,
        zone=ZONE,
        resampling=RESAMPLING,
    script:
        "../scripts/claims.py"


rule head_map:
    input:
        heads=cells.head_sets(),
    output:
        scores=built("metrics/heads.parquet"),
        criteria=built("metrics/heads-criteria.parquet"),
        selected=built("metrics/heads-selected.parquet"),
    log:
        logged("head_map.log"),
    benchmark:
        built("benchmarks/head_map.tsv")
    localrule: True
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        library=library("head_map"),
        cells=cells.heads,
    script:
        "../scripts/head_map.py"


rule depth:
    input:
        features=built("features/{backbone}/training.safetensors"),
        lists=built("lists/training.parquet"),
        heads=built("heads/{backbone}/headrank.json"),
        masses=expand(built("runs/{{backbone}}/{d}/masses.safetensors"), d=study.common),
        rankings=expand(built("runs/{{backbone}}/{d}/headrank-untrained.parquet"), d=study.common),
        trained=expand(built("runs/{{backbone}}/{d}/headrank.trec"), d=study.common),
        qrels=expand(built("collections/{d}/qrels.trec"), d=study.common),
    output:
        curve=built("metrics/depth/{backbone}.parquet"),
        marks=built("metrics/depth/{backbone}-marks.parquet"),
    log:
        logged("depth/{backbone}.log"),
    benchmark:
        built("benchmarks/depth/{backbone}.tsv")
    conda:
        "../../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=120,
        gpu=0,
    params:
        library=library("depth", loads=modules_of_metrics([METRIC])),
        benchmarks=study.common,
        settings=settings("selection", "mass", "loss", "candidates"),
        metric=METRIC,
        resampling=RESAMPLING,
    script:
        "../scripts/depth.py"


rule controls:
    input:
        heads=built("heads/{backbone}/headrank.json"),
        masses=expand(built("runs/{{backbone}}/{d}/masses.safetensors"), d=study.common),
        rankings=expand(built("runs/{{backbone}}/{d}/headrank-untrained.parquet"), d=study.common),
        qrels=expand(built("collections/{d}/qrels.trec"), d=study.common),
        references=expand(built("runs/{{backbone}}/{d}/{m}.trec"), d=study.common, m=cells.references),
    output:
        layers=built("metrics/controls/{backbone}-layers.parquet"),
        draws=built("metrics/controls/{backbone}-draws.parquet"),
        references=built("metrics/controls/{backbone}-references.parquet"),
    log:
        logged("controls/{backbone}.log"),
    benchmark:
        built("benchmarks/controls/{backbone}.tsv")
    conda:
        "../../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=120,
        gpu=0,
    params:
        library=library("controls", loads=modules_of_metrics([METRIC])),
        benchmarks=study.common,
        settings=settings("mass", "loss", "candidates"),
        metric=METRIC,
        draws=lookup("evaluation/draws", within=config),
        seed=config["seed"],
    script:
        "../scripts/controls.py"


rule transfer:
    input:
        heads=built("heads/{backbone}/headrank.json"),
        masses=expand(built("runs/{{backbone}}/{d}/masses.safetensors"), d=study.common),
        rankings=expand(built("runs/{{backbone}}/{d}/headrank-untrained.parquet"), d=study.common),
        qrels=expand(built("collections/{d}/qrels.trec"), d=study.common),
    output:
        transfer=built("metrics/transfer/{backbone}.parquet"),
    log:
        logged("transfer/{backbone}.log"),
    benchmark:
        built("benchmarks/transfer/{backbone}.tsv")
    conda:
        "../../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=120,
        gpu=0,
    params:
        library=library("transfer", loads=modules_of_metrics([METRIC])),
        benchmarks=study.common,
        settings=settings("mass", "loss", "candidates"),
        metric=METRIC,
    script:
        "../scripts/transfer.py"


rule routes:
    input:
        routes=[built(f"runs/{b}/{d}/routes.parquet") for b, d in cells.places],
    output:
        routes=built("metrics/routes.parquet"),
    log:
        logged("routes.log"),
    benchmark:
        built("benchmarks/routes.tsv")
    localrule: True
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        library=library("routes"),
        cells=cells.places,
    script:
        "../scripts/routes.py"


rule curves:
    input:
        curves=expand(built("adapters/{b}/headrank/curve.csv"), b=config["backbones"]),
    output:
        curves=built("metrics/training.parquet"),
    log:
        logged("curves.log"),
    benchmark:
        built("benchmarks/curves.tsv")
    localrule: True
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        library=library("curves"),
        backbones=list(config["backbones"]),
    script:
        "../scripts/curves.py"


rule query_curve:
    input:
        metrics=built("metrics/queries.parquet"),
        lists=built("lists/training.parquet"),
    output:
        curve=built("metrics/query-curve.parquet"),
        references=built("metrics/query-references.parquet"),
    log:
        logged("query_curve.log"),
    benchmark:
        built("benchmarks/query_curve.tsv")
    localrule: True
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        library=library("query_curve", loads=modules_of_metrics([METRIC])),
        metric=METRIC,
        queries={v: config["variants"][v]["training"]["queries"] for v in config["ablation"]["queries"]},
        backbone=study.ablated,
        resampling=RESAMPLING,
    script:
        "../scripts/query_curve.py"


rule clock:
    input:
        backbone=built("backbones/{backbone}"),
        candidates=built(f"collections/{config['clock']['benchmark'] or study.common[0]}/candidates.trec"),
        heads=expand(built("heads/{{backbone}}/{m}.json"), m=study.head_sets),
        router=built("routers/{backbone}/router.safetensors") if study.routed else [],
        adapters=of_backbone(cells.adapter_files),
    output:
        seconds=built("metrics/seconds/{backbone}.parquet"),
    log:
        logged("clock/{backbone}.log"),
    benchmark:
        built("benchmarks/clock/{backbone}.tsv")
    wildcard_constraints:
        backbone=one_of(config["backbones"]),
    conda:
        "../../envs/model.yaml"
    # All that there are, so that nothing else runs at the same time.
    threads: config["clock"]["threads"]
    resources:
        mem_mb=memory("generate"),
        runtime=minutes("generate"),
        gpu=GPU,
    params:
        library=library("clock", [*study.timed, *study.written]),
        frozen=study.timed,
        generative={"methods": study.written, "settings": study.generative_settings},
        trained=lambda wildcards: {
            v: settings_of(study, RANKED_BY, wildcards.backbone, v)
            for v in cells.adapters_of(wildcards.backbone)
        },
        settings=settings(*RANKED_BY, "baselines"),
        queries=config["clock"]["queries"],
        model=MODEL,
    script:
        "../scripts/clock.py"


rule inject:
    input:
        backbone=built("backbones/{backbone}"),
        queries=built(f"collections/{study.injected}/queries.jsonl"),
        candidates=built(f"collections/{study.injected}/candidates.trec"),
        passages=built(f"collections/{study.injected}/passages.jsonl"),
        # An irrelevant passage is attacked; the result is a measurement, and no rule chooses by it.
        qrels=built(f"collections/{study.injected}/qrels.trec"),
        heads=expand(built("heads/{{backbone}}/{m}.json"), m=study.head_sets),
        router=built("routers/{backbone}/router.safetensors") if study.routed else [],
        adapters=of_backbone(cells.adapter_files),
    output:
        ranks=built("metrics/injection/{backbone}.parquet"),
    log:
        logged("inject/{backbone}.log"),
    benchmark:
        built("benchmarks/inject/{backbone}.tsv")
    wildcard_constraints:
        backbone=one_of(config["backbones"]),
    conda:
        "../../envs/model.yaml"
    threads: config["threads"]
    resources:
        mem_mb=memory("generate"),
        runtime=minutes("inject"),
        gpu=GPU,
        tokens_per_pass=tokens_per_pass,
    params:
        library=library("inject", [*study.attacked(study.frozen), *study.attacked(study.written)]),
        frozen=study.attacked(study.frozen),
        generative={"methods": study.attacked(study.written), "settings": study.generative_settings},
        trained=lambda wildcards: {
            v: settings_of(study, RANKED_BY, wildcards.backbone, v)
            for v in cells.adapters_of(wildcards.backbone)
        },
        settings=settings(*RANKED_BY, "baselines"),
        queries=config["injection"]["queries"],
        benchmark=[study.injected, config["collections"][study.injected]["id"]],
        model=MODEL,
        unfinished=built("metrics/injection/.unfinished-{backbone}"),
    script:
        "../scripts/inject.py"
