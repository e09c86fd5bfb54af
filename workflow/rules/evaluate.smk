rule evaluate:
    input:
        runs=runs_of,
        candidates=expand("results/{{study}}/collections/{d}/candidates.trec", d=config["panel"]),
        qrels=expand("results/{{study}}/collections/{d}/qrels.trec", d=config["panel"]),
        library=library("evaluate"),
    output:
        metrics="results/{study}/metrics/{scope}.parquet",
    log:
        "logs/{study}/evaluate/{scope}.log",
    benchmark:
        "results/{study}/benchmarks/evaluate/{scope}.tsv"
    wildcard_constraints:
        scope="main|ablation|queries|seeds",
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
        gpu=0,
    params:
        cells=cells_of,
        cutoff=lookup("evaluation/cutoff", within=config),
    script:
        "../scripts/evaluate.py"


rule significance:
    input:
        metrics="results/{study}/metrics/{scope}.parquet",
        library=library("significance"),
    output:
        tests="results/{study}/metrics/significance-{scope}.parquet",
    log:
        "logs/{study}/significance/{scope}.log",
    benchmark:
        "results/{study}/benchmarks/significance/{scope}.tsv"
    wildcard_constraints:
        scope="main|ablation",
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
        gpu=0,
    params:
        pairs=compared,
        resampling=RESAMPLING,
    script:
        "../scripts/significance.py"


rule selectivity:
    input:
        rankings=rankings_of,
        qrels=expand("results/{{study}}/collections/{d}/qrels.trec", d=config["panel"]),
        library=library("selectivity"),
    output:
        selectivity="results/{study}/metrics/selectivity-{scope}.parquet",
    log:
        "logs/{study}/selectivity/{scope}.log",
    benchmark:
        "results/{study}/benchmarks/selectivity/{scope}.tsv"
    wildcard_constraints:
        scope="main|ablation",
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
        gpu=0,
    params:
        cells=cells_of,
        zone=ZONE,
        resampling=RESAMPLING,
    script:
        "../scripts/selectivity.py"


rule homogenisation:
    input:
        rankings=rankings_of,
        qrels=expand("results/{{study}}/collections/{d}/qrels.trec", d=config["panel"]),
        library=library("homogenisation"),
    output:
        profile="results/{study}/metrics/homogenisation.parquet",
        measures="results/{study}/metrics/homogenisation-measures.parquet",
    log:
        "logs/{study}/homogenisation.log",
    benchmark:
        "results/{study}/benchmarks/homogenisation.tsv"
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
        gpu=0,
    params:
        cells=cells_of,
        zone=ZONE,
    script:
        "../scripts/homogenisation.py"


rule cost:
    input:
        rankings=told_rankings,
        calls=told_calls,
        backbones=expand("results/{{study}}/backbones/{b}", b=config["backbones"]),
        heads=heads_of,
        library=library("cost"),
    output:
        cost="results/{study}/metrics/cost.parquet",
    log:
        "logs/{study}/cost.log",
    benchmark:
        "results/{study}/benchmarks/cost.tsv"
    localrule: True
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        cells=told_cells,
        heads=HEAD_CELLS,
        independent=INDEPENDENT,
    script:
        "../scripts/cost.py"


rule formatting:
    input:
        rankings=told_rankings,
        calls=told_calls,
        candidates=expand("results/{{study}}/collections/{d}/candidates.trec", d=config["panel"]),
        library=library("formatting"),
    output:
        counts="results/{study}/metrics/format.parquet",
    log:
        "logs/{study}/formatting.log",
    benchmark:
        "results/{study}/benchmarks/formatting.tsv"
    localrule: True
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        cells=told_cells,
        writing=WRITING,
        depth=lookup("headrank/candidates/depth", within=config),
    script:
        "../scripts/formatting.py"


rule timing:
    input:
        # What is timed has run when these are there.
        metrics=expand("results/{{study}}/metrics/{scope}.parquet", scope=EVALUATED),
        library=library("timing"),
    output:
        timing="results/{study}/metrics/timing.parquet",
    log:
        "logs/{study}/timing.log",
    benchmark:
        "results/{study}/benchmarks/timing.tsv"
    localrule: True
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        directory="results/{study}/benchmarks",
        rules=TIMED,
    script:
        "../scripts/timing.py"
