rule synthesize:
    output:
        corpus=built("synthetic/{collection}/corpus.jsonl"),
        queries=built("synthetic/{collection}/queries.jsonl"),
        qrels=built("synthetic/{collection}/qrels.trec"),
    log:
        logged("synthesize/{collection}.log"),
    benchmark:
        built("benchmarks/synthesize/{collection}.tsv")
    wildcard_constraints:
        collection=one_of(study.collections.of("synthetic")),
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        library=library("synthesize"),
        spec=lookup("collections/{collection}/synthetic", within=config),
    script:
        "../scripts/synthesize.py"


rule fetch_collection:
    output:
        source=built("collections/{collection}/source.json"),
    log:
        logged("fetch_collection/{collection}.log"),
    benchmark:
        built("benchmarks/fetch_collection/{collection}.tsv")
    wildcard_constraints:
        collection=one_of(study.collections.of("ir_datasets")),
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
        library=library("fetch_collection"),
        id=lookup("collections/{collection}/id", within=config),
        official=lambda wildcards: collections.first_stages[wildcards.collection] == "official",
    script:
        "../scripts/fetch_collection.py"


rule collection:
    input:
        files=of_collection(collections.files_of, ["queries.jsonl", "qrels.trec"]),
        source=of_collection(collections.fetched),
        shares=lambda wildcards: collections.fetched(collections.shared_corpus(wildcards.collection)),
    output:
        queries=built("collections/{collection}/queries.jsonl"),
        qrels=built("collections/{collection}/qrels.trec"),
    log:
        logged("collection/{collection}.log"),
    benchmark:
        built("benchmarks/collection/{collection}.tsv")
    conda:
        "../../envs/retrieve.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
        gpu=0,
    params:
        library=library("collection"),
        spec=of_collection(collections.spec),
        judged=lookup("collections/{collection}/judged", within=config),
    script:
        "../scripts/collection.py"


rule leakage:
    input:
        queries=expand(built("collections/{c}/queries.jsonl"), c=collections.used),
    output:
        leakage=report(
            built("leakage.json"),
            caption="../report/provenance.rst",
            category="Provenance",
            labels={"file": "leakage"},
        ),
    log:
        logged("leakage.log"),
    benchmark:
        built("benchmarks/leakage.tsv")
    # A study that is to stop here stops before its indexes are built.
    priority: 100
    conda:
        "../../envs/retrieve.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        library=library("leakage"),
        pools={
            pool: {c: built(f"collections/{c}/queries.jsonl") for c in collections.pools[pool]}
            for pool in study.detected_on
        },
        tests={b: built(f"collections/{b}/queries.jsonl") for b in study.panel},
        action=config["leakage"],
    script:
        "../scripts/leakage.py"


rule training_set:
    input:
        queries=of_pool("queries.jsonl"),
        qrels=of_pool("qrels.trec"),
        candidates=of_pool("candidates.trec"),
        passages=of_pool("passages.jsonl"),
    output:
        queries=built("{pool}/queries.jsonl"),
        qrels=built("{pool}/qrels.trec"),
        candidates=built("{pool}/candidates.trec"),
        passages=built("{pool}/passages.jsonl"),
    log:
        logged("training_set/{pool}.log"),
    benchmark:
        built("benchmarks/training_set/{pool}.tsv")
    conda:
        "../../envs/retrieve.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
        gpu=0,
    params:
        library=library("training_set"),
    script:
        "../scripts/training_set.py"
