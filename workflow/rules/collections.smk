rule synthesize:
    input:
        library=library("synthesize"),
    output:
        corpus=RESULTS + "synthetic/{collection}/corpus.jsonl",
        queries=RESULTS + "synthetic/{collection}/queries.jsonl",
        qrels=RESULTS + "synthetic/{collection}/qrels.trec",
    log:
        LOGS + "synthesize/{collection}.log",
    benchmark:
        RESULTS + "benchmarks/synthesize/{collection}.tsv"
    wildcard_constraints:
        collection=one_of(having(config["collections"], "source", "synthetic")),
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        spec=lookup("collections/{collection}/synthetic", within=config),
    script:
        "../scripts/synthesize.py"


rule fetch_collection:
    input:
        library=library("fetch_collection"),
    output:
        source=RESULTS + "collections/{collection}/source.json",
    log:
        LOGS + "fetch_collection/{collection}.log",
    benchmark:
        RESULTS + "benchmarks/fetch_collection/{collection}.tsv"
    wildcard_constraints:
        collection=one_of(having(config["collections"], "source", "ir_datasets")),
    retries: 2
    conda:
        "../../envs/retrieve.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=720,
        gpu=0,
        downloads=1,
    params:
        id=lookup("collections/{collection}/id", within=config),
        official=lambda wildcards: FIRST_STAGES[wildcards.collection] == "official",
    script:
        "../scripts/fetch_collection.py"


rule collection:
    input:
        files=files_of("queries.jsonl", "qrels.trec"),
        source=fetched,
        shares=corpus_shared,
        library=library("collection"),
    output:
        queries=RESULTS + "collections/{collection}/queries.jsonl",
        qrels=RESULTS + "collections/{collection}/qrels.trec",
    log:
        LOGS + "collection/{collection}.log",
    benchmark:
        RESULTS + "benchmarks/collection/{collection}.tsv"
    conda:
        "../../envs/retrieve.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
        gpu=0,
    params:
        spec=collection_spec,
        judged=lookup("collections/{collection}/judged", within=config),
    script:
        "../scripts/collection.py"


rule training_set:
    input:
        queries=pool_files("queries.jsonl"),
        qrels=pool_files("qrels.trec"),
        candidates=pool_files("candidates.trec"),
        passages=pool_files("passages.jsonl"),
        library=library("training_set"),
    output:
        queries=RESULTS + "{pool}/queries.jsonl",
        qrels=RESULTS + "{pool}/qrels.trec",
        candidates=RESULTS + "{pool}/candidates.trec",
        passages=RESULTS + "{pool}/passages.jsonl",
    log:
        LOGS + "training_set/{pool}.log",
    benchmark:
        RESULTS + "benchmarks/training_set/{pool}.tsv"
    conda:
        "../../envs/retrieve.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
        gpu=0,
    script:
        "../scripts/training_set.py"
