rule claims:
    input:
        unpack(claimed),
        metrics=RESULTS + "metrics/main.parquet",
        costs=RESULTS + "metrics/cost.parquet",
        formats=RESULTS + "metrics/format.parquet",
        qrels=expand(RESULTS + "collections/{d}/qrels.trec", d=config["panel"]),
        heads=expand(RESULTS + "heads/{b}/headrank.json", b=config["backbones"]),
        library=library("claims"),
    output:
        claims=RESULTS + "metrics/claims.parquet",
    log:
        LOGS + "claims.log",
    benchmark:
        RESULTS + "benchmarks/claims.tsv"
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
        gpu=0,
    params:
        models=models_of_claims(),
        panels=PANELS,
        synthetic=any(config["collections"][c]["source"] == "synthetic" for c in USED),
        depth=lookup("headrank/candidates/depth", within=config),
        cutoff=lookup("evaluation/cutoff", within=config),
        zone=ZONE,
        resampling=RESAMPLING,
    script:
        "../scripts/claims.py"


rule head_map:
    input:
        heads=heads_of,
        library=library("head_map"),
    output:
        scores=RESULTS + "metrics/heads.parquet",
        criteria=RESULTS + "metrics/heads-criteria.parquet",
        selected=RESULTS + "metrics/heads-selected.parquet",
    log:
        LOGS + "head_map.log",
    benchmark:
        RESULTS + "benchmarks/head_map.tsv"
    localrule: True
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        cells=HEAD_CELLS,
    script:
        "../scripts/head_map.py"


rule depth:
    input:
        features=RESULTS + "features/{backbone}/training.safetensors",
        lists=RESULTS + "lists/training.parquet",
        heads=RESULTS + "heads/{backbone}/headrank.json",
        masses=expand(RESULTS + "runs/{{backbone}}/{d}/masses.safetensors", d=config["panel"]),
        rankings=expand(RESULTS + "runs/{{backbone}}/{d}/headrank-untrained.parquet", d=config["panel"]),
        trained=expand(RESULTS + "runs/{{backbone}}/{d}/headrank.trec", d=config["panel"]),
        qrels=expand(RESULTS + "collections/{d}/qrels.trec", d=config["panel"]),
        library=library("depth"),
    output:
        curve=RESULTS + "metrics/depth/{backbone}.parquet",
        marks=RESULTS + "metrics/depth/{backbone}-marks.parquet",
    log:
        LOGS + "depth/{backbone}.log",
    benchmark:
        RESULTS + "benchmarks/depth/{backbone}.tsv"
    conda:
        "../../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=120,
        gpu=0,
    params:
        settings=settings("selection", "mass", "loss", "candidates"),
        cutoff=lookup("evaluation/cutoff", within=config),
        resampling=RESAMPLING,
    script:
        "../scripts/depth.py"


rule controls:
    input:
        heads=RESULTS + "heads/{backbone}/headrank.json",
        masses=expand(RESULTS + "runs/{{backbone}}/{d}/masses.safetensors", d=config["panel"]),
        rankings=expand(RESULTS + "runs/{{backbone}}/{d}/headrank-untrained.parquet", d=config["panel"]),
        qrels=expand(RESULTS + "collections/{d}/qrels.trec", d=config["panel"]),
        references=expand(RESULTS + "runs/{{backbone}}/{d}/{m}.trec", d=config["panel"], m=REFERENCES),
        library=library("controls"),
    output:
        layers=RESULTS + "metrics/controls/{backbone}-layers.parquet",
        draws=RESULTS + "metrics/controls/{backbone}-draws.parquet",
        references=RESULTS + "metrics/controls/{backbone}-references.parquet",
    log:
        LOGS + "controls/{backbone}.log",
    benchmark:
        RESULTS + "benchmarks/controls/{backbone}.tsv"
    conda:
        "../../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=120,
        gpu=0,
    params:
        benchmarks=config["panel"],
        settings=settings("mass", "loss", "candidates"),
        cutoff=lookup("evaluation/cutoff", within=config),
        draws=lookup("evaluation/draws", within=config),
        seed=config["seed"],
    script:
        "../scripts/controls.py"


rule routes:
    input:
        routes=[f"{RESULTS}runs/{b}/{d}/routes.parquet" for b, d in ROUTE_CELLS],
        library=library("routes"),
    output:
        routes=RESULTS + "metrics/routes.parquet",
    log:
        LOGS + "routes.log",
    benchmark:
        RESULTS + "benchmarks/routes.tsv"
    localrule: True
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        cells=ROUTE_CELLS,
    script:
        "../scripts/routes.py"


rule curves:
    input:
        curves=expand(RESULTS + "adapters/{b}/headrank/curve.csv", b=config["backbones"]),
        library=library("curves"),
    output:
        curves=RESULTS + "metrics/training.parquet",
    log:
        LOGS + "curves.log",
    benchmark:
        RESULTS + "benchmarks/curves.tsv"
    localrule: True
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        backbones=list(config["backbones"]),
    script:
        "../scripts/curves.py"


rule query_curve:
    input:
        metrics=RESULTS + "metrics/queries.parquet",
        lists=RESULTS + "lists/training.parquet",
        library=library("query_curve"),
    output:
        curve=RESULTS + "metrics/query-curve.parquet",
        references=RESULTS + "metrics/query-references.parquet",
    log:
        LOGS + "query_curve.log",
    benchmark:
        RESULTS + "benchmarks/query_curve.tsv"
    localrule: True
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        queries=QUERY_NUMBERS,
        backbone=ABLATED,
        resampling=RESAMPLING,
    script:
        "../scripts/query_curve.py"
