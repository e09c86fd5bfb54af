rule claims:
    input:
        unpack(claimed),
        metrics="results/{study}/metrics/main.parquet",
        costs="results/{study}/metrics/cost.parquet",
        formats="results/{study}/metrics/format.parquet",
        qrels=expand("results/{{study}}/collections/{d}/qrels.trec", d=config["panel"]),
        heads=expand("results/{{study}}/heads/{b}/headrank.json", b=config["backbones"]),
        library=library("claims"),
    output:
        claims="results/{study}/metrics/claims.parquet",
    log:
        "logs/{study}/claims.log",
    benchmark:
        "results/{study}/benchmarks/claims.tsv"
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
        scores="results/{study}/metrics/heads.parquet",
        criteria="results/{study}/metrics/heads-criteria.parquet",
        selected="results/{study}/metrics/heads-selected.parquet",
    log:
        "logs/{study}/head_map.log",
    benchmark:
        "results/{study}/benchmarks/head_map.tsv"
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
        features="results/{study}/features/{backbone}/training.safetensors",
        lists="results/{study}/lists/training.parquet",
        heads="results/{study}/heads/{backbone}/headrank.json",
        masses=expand("results/{{study}}/runs/{{backbone}}/{d}/masses.safetensors", d=config["panel"]),
        rankings=expand(
            "results/{{study}}/runs/{{backbone}}/{d}/headrank-untrained.parquet", d=config["panel"]
        ),
        trained=expand("results/{{study}}/runs/{{backbone}}/{d}/headrank.trec", d=config["panel"]),
        qrels=expand("results/{{study}}/collections/{d}/qrels.trec", d=config["panel"]),
        library=library("depth"),
    output:
        curve="results/{study}/metrics/depth/{backbone}.parquet",
        marks="results/{study}/metrics/depth/{backbone}-marks.parquet",
    log:
        "logs/{study}/depth/{backbone}.log",
    benchmark:
        "results/{study}/benchmarks/depth/{backbone}.tsv"
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
        heads="results/{study}/heads/{backbone}/headrank.json",
        masses=expand("results/{{study}}/runs/{{backbone}}/{d}/masses.safetensors", d=config["panel"]),
        rankings=expand(
            "results/{{study}}/runs/{{backbone}}/{d}/headrank-untrained.parquet", d=config["panel"]
        ),
        qrels=expand("results/{{study}}/collections/{d}/qrels.trec", d=config["panel"]),
        references=expand("results/{{study}}/runs/{{backbone}}/{d}/{m}.trec", d=config["panel"], m=REFERENCES),
        library=library("controls"),
    output:
        layers="results/{study}/metrics/controls/{backbone}-layers.parquet",
        draws="results/{study}/metrics/controls/{backbone}-draws.parquet",
        references="results/{study}/metrics/controls/{backbone}-references.parquet",
    log:
        "logs/{study}/controls/{backbone}.log",
    benchmark:
        "results/{study}/benchmarks/controls/{backbone}.tsv"
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
        routes=[f"results/{STUDY}/runs/{b}/{d}/routes.parquet" for b, d in ROUTE_CELLS],
        library=library("routes"),
    output:
        routes="results/{study}/metrics/routes.parquet",
    log:
        "logs/{study}/routes.log",
    benchmark:
        "results/{study}/benchmarks/routes.tsv"
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
        curves=expand("results/{{study}}/adapters/{b}/headrank/curve.csv", b=config["backbones"]),
        library=library("curves"),
    output:
        curves="results/{study}/metrics/training.parquet",
    log:
        "logs/{study}/curves.log",
    benchmark:
        "results/{study}/benchmarks/curves.tsv"
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
        metrics="results/{study}/metrics/queries.parquet",
        lists="results/{study}/lists/training.parquet",
        library=library("query_curve"),
    output:
        curve="results/{study}/metrics/query-curve.parquet",
        references="results/{study}/metrics/query-references.parquet",
    log:
        "logs/{study}/query_curve.log",
    benchmark:
        "results/{study}/benchmarks/query_curve.tsv"
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
