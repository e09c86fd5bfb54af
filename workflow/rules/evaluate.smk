rule evaluate:
    input:
        runs=runs_of,
        candidates=expand(RESULTS + "collections/{d}/candidates.trec", d=config["panel"]),
        qrels=expand(RESULTS + "collections/{d}/qrels.trec", d=config["panel"]),
        library=library("evaluate"),
    output:
        metrics=RESULTS + "metrics/{scope}.parquet",
    log:
        LOGS + "evaluate/{scope}.log",
    benchmark:
        RESULTS + "benchmarks/evaluate/{scope}.tsv"
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
        metrics=RESULTS + "metrics/{scope}.parquet",
        library=library("significance"),
    output:
        tests=RESULTS + "metrics/significance-{scope}.parquet",
    log:
        LOGS + "significance/{scope}.log",
    benchmark:
        RESULTS + "benchmarks/significance/{scope}.tsv"
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
        qrels=expand(RESULTS + "collections/{d}/qrels.trec", d=config["panel"]),
        library=library("selectivity"),
    output:
        selectivity=RESULTS + "metrics/selectivity-{scope}.parquet",
    log:
        LOGS + "selectivity/{scope}.log",
    benchmark:
        RESULTS + "benchmarks/selectivity/{scope}.tsv"
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
        qrels=expand(RESULTS + "collections/{d}/qrels.trec", d=config["panel"]),
        library=library("homogenisation"),
    output:
        profile=RESULTS + "metrics/homogenisation.parquet",
        measures=RESULTS + "metrics/homogenisation-measures.parquet",
    log:
        LOGS + "homogenisation.log",
    benchmark:
        RESULTS + "benchmarks/homogenisation.tsv"
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
        backbones=expand(RESULTS + "backbones/{b}", b=config["backbones"]),
        heads=heads_of,
        library=library("cost"),
    output:
        cost=RESULTS + "metrics/cost.parquet",
    log:
        LOGS + "cost.log",
    benchmark:
        RESULTS + "benchmarks/cost.tsv"
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
        candidates=expand(RESULTS + "collections/{d}/candidates.trec", d=config["panel"]),
        library=library("formatting"),
    output:
        counts=RESULTS + "metrics/format.parquet",
    log:
        LOGS + "formatting.log",
    benchmark:
        RESULTS + "benchmarks/formatting.tsv"
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
        metrics=expand(RESULTS + "metrics/{scope}.parquet", scope=EVALUATED),
        library=library("timing"),
    output:
        timing=RESULTS + "metrics/timing.parquet",
    log:
        LOGS + "timing.log",
    benchmark:
        RESULTS + "benchmarks/timing.tsv"
    localrule: True
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        directory=RESULTS + "benchmarks",
        rules=TIMED,
    script:
        "../scripts/timing.py"
