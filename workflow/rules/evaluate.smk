rule evaluate:
    input:
        runs=of_scope(cells.runs_of),
        candidates=expand(built("collections/{d}/candidates.trec"), d=config["panel"]),
        qrels=expand(built("collections/{d}/qrels.trec"), d=config["panel"]),
    output:
        metrics=built("metrics/{scope}.parquet"),
    log:
        logged("evaluate/{scope}.log"),
    benchmark:
        built("benchmarks/evaluate/{scope}.tsv")
    wildcard_constraints:
        scope="main|ablation|queries|seeds|fused",
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
        gpu=0,
    params:
        library=library("evaluate", loads=modules_of_metrics(METRICS)),
        cells=of_scope(cells.of),
        depth=lookup("headrank/candidates/depth", within=config),
        metrics=METRICS,
        fusion=of_scope(cells.fusion),
    script:
        "../scripts/evaluate.py"


rule significance:
    input:
        metrics=of_scope(cells.tested),
    output:
        tests=built("metrics/significance-{scope}.parquet"),
    log:
        logged("significance/{scope}.log"),
    benchmark:
        built("benchmarks/significance/{scope}.tsv")
    wildcard_constraints:
        scope="main|ablation|rivals|fused",
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
        gpu=0,
    params:
        library=library("significance", loads=modules_of_metrics([METRIC])),
        metric=METRIC,
        pairs=of_scope(cells.compared),
        # Where one method is compared with all others, the tests of each mean are a family of their own.
        family=branch(lambda wildcards: wildcards.scope == "rivals", then="benchmark", otherwise="table"),
        averages=study.averages,
        resampling=RESAMPLING,
    script:
        "../scripts/significance.py"


rule selectivity:
    input:
        rankings=of_scope(cells.rankings_of),
        qrels=expand(built("collections/{d}/qrels.trec"), d=config["panel"]),
    output:
        selectivity=built("metrics/selectivity-{scope}.parquet"),
    log:
        logged("selectivity/{scope}.log"),
    benchmark:
        built("benchmarks/selectivity/{scope}.tsv")
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
        library=library("selectivity"),
        cells=of_scope(cells.of),
        zone=ZONE,
        resampling=RESAMPLING,
        averages=study.averages,
    script:
        "../scripts/selectivity.py"


rule homogenisation:
    input:
        rankings=of_scope(cells.rankings_of),
        qrels=expand(built("collections/{d}/qrels.trec"), d=config["panel"]),
    output:
        profile=built("metrics/homogenisation.parquet"),
        measures=built("metrics/homogenisation-measures.parquet"),
    log:
        logged("homogenisation.log"),
    benchmark:
        built("benchmarks/homogenisation.tsv")
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
        gpu=0,
    params:
        library=library("homogenisation"),
        cells=of_scope(cells.of),
        zone=ZONE,
        averages=study.averages,
        logarithmic=cells.logarithmic,
    script:
        "../scripts/homogenisation.py"


rule cost:
    input:
        rankings=cells.rankings(cells.told),
        calls=cells.calls(cells.told),
        backbones=expand(built("backbones/{b}"), b=config["backbones"]),
        heads=cells.head_sets(),
    output:
        cost=built("metrics/cost.parquet"),
    log:
        logged("cost.log"),
    benchmark:
        built("benchmarks/cost.tsv")
    localrule: True
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        library=library("cost"),
        cells=cells.told,
        heads=cells.heads,
        independent=cells.independent,
    script:
        "../scripts/cost.py"


rule formatting:
    input:
        rankings=cells.rankings(cells.told),
        calls=cells.calls(cells.told),
        candidates=expand(built("collections/{d}/candidates.trec"), d=config["panel"]),
    output:
        counts=built("metrics/format.parquet"),
    log:
        logged("formatting.log"),
    benchmark:
        built("benchmarks/formatting.tsv")
    localrule: True
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        library=library("formatting"),
        cells=cells.told,
        writing=WRITING,
        depth=lookup("headrank/candidates/depth", within=config),
    script:
        "../scripts/formatting.py"


rule timing:
    input:
        # When these exist, everything that is timed has run; rankings of part of the queries are in no metrics file.
        metrics=expand(built("metrics/{scope}.parquet"), scope=cells.scopes),
        rankings=cells.rankings(cells.told),
    output:
        timing=built("metrics/timing.parquet"),
    log:
        logged("timing.log"),
    benchmark:
        built("benchmarks/timing.tsv")
    localrule: True
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        library=library("timing"),
        directory=built("benchmarks"),
        rules=TIMED,
    script:
        "../scripts/timing.py"
