rule synthesize:
    input:
        library=library("synthesize"),
    output:
        corpus="results/{study}/synthetic/{collection}/corpus.jsonl",
        queries="results/{study}/synthetic/{collection}/queries.jsonl",
        qrels="results/{study}/synthetic/{collection}/qrels.trec",
    log:
        "logs/{study}/synthesize/{collection}.log",
    benchmark:
        "results/{study}/benchmarks/synthesize/{collection}.tsv"
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
        source="results/{study}/collections/{collection}/source.json",
    log:
        "logs/{study}/fetch_collection/{collection}.log",
    benchmark:
        "results/{study}/benchmarks/fetch_collection/{collection}.tsv"
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
        queries="results/{study}/collections/{collection}/queries.jsonl",
        qrels="results/{study}/collections/{collection}/qrels.trec",
    log:
        "logs/{study}/collection/{collection}.log",
    benchmark:
        "results/{study}/benchmarks/collection/{collection}.tsv"
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
        queries="results/{study}/{pool}/queries.jsonl",
        qrels="results/{study}/{pool}/qrels.trec",
        candidates="results/{study}/{pool}/candidates.trec",
        passages="results/{study}/{pool}/passages.jsonl",
    log:
        "logs/{study}/training_set/{pool}.log",
    benchmark:
        "results/{study}/benchmarks/training_set/{pool}.tsv"
    conda:
        "../../envs/retrieve.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
        gpu=0,
    script:
        "../scripts/training_set.py"
