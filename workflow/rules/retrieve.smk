rule index:
    input:
        source=fetched,
        corpus=files_of("corpus.jsonl"),
    output:
        index=directory(built("indexes/{collection}/bm25")),
    log:
        logged("index/{collection}.log"),
    benchmark:
        built("benchmarks/index/{collection}.tsv")
    retries: 2
    conda:
        "../../envs/retrieve.yaml"
    threads: 1
    resources:
        mem_mb=index_memory,
        runtime=index_minutes,
        gpu=0,
    params:
        library=library("index"),
        spec=collection_spec,
        k1=lookup("first_stage/k1", within=config),
        b=lookup("first_stage/b", within=config),
    script:
        "../scripts/index.py"


rule embed:
    input:
        source=fetched,
        corpus=files_of("corpus.jsonl"),
        encoder=f"{RESULTS}backbones/{study.encoder}",
    output:
        index=directory(built("indexes/{collection}/dense")),
    log:
        logged("embed/{collection}.log"),
    benchmark:
        built("benchmarks/embed/{collection}.tsv")
    conda:
        "../../envs/model.yaml"
    threads: config["threads"]
    resources:
        mem_mb=8000,
        runtime=index_minutes,
        gpu=GPU,
    params:
        library=library("embed"),
        spec=collection_spec,
        encoder=study.encoding,
        device=config["device"],
    script:
        "../scripts/embed.py"


rule retrieve:
    input:
        queries=built("collections/{collection}/queries.jsonl"),
        source=fetched,
        index=index_of,
        run=lambda wildcards: study.given_run(wildcards.collection),
    output:
        first_stage=built("collections/{collection}/first-stage.trec"),
        candidates=built("collections/{collection}/candidates.trec"),
    log:
        logged("retrieve/{collection}.log"),
    benchmark:
        built("benchmarks/retrieve/{collection}.tsv")
    wildcard_constraints:
        collection=one_of(study.staged("bm25", "official", "run")),
    conda:
        "../../envs/retrieve.yaml"
    threads: 1
    resources:
        mem_mb=index_memory,
        runtime=240,
        gpu=0,
    params:
        library=library("retrieve"),
        spec=collection_spec,
        stage=lambda wildcards: study.first_stages[wildcards.collection],
        depth=first_stage_depth,
        check_depth=check_depth,
        drop_same_id=lookup("collections/{collection}/drop_same_id", within=config),
    script:
        "../scripts/retrieve.py"


rule retrieve_dense:
    input:
        queries=built("collections/{collection}/queries.jsonl"),
        index=index_of,
        encoder=f"{RESULTS}backbones/{study.encoder}",
    output:
        first_stage=built("collections/{collection}/first-stage.trec"),
        candidates=built("collections/{collection}/candidates.trec"),
    log:
        logged("retrieve_dense/{collection}.log"),
    benchmark:
        built("benchmarks/retrieve_dense/{collection}.tsv")
    wildcard_constraints:
        collection=one_of(study.staged("dense")),
    conda:
        "../../envs/model.yaml"
    threads: config["threads"]
    resources:
        mem_mb=16000,
        runtime=240,
        gpu=0,
    params:
        library=library("retrieve_dense"),
        depth=first_stage_depth,
        check_depth=check_depth,
        drop_same_id=lookup("collections/{collection}/drop_same_id", within=config),
        encoder=study.encoding,
    script:
        "../scripts/retrieve_dense.py"


rule first_stage:
    input:
        runs=expand(built("collections/{c}/first-stage.trec"), c=study.used),
        qrels=expand(built("collections/{c}/qrels.trec"), c=study.used),
    output:
        measured=built("metrics/first-stage.parquet"),
    log:
        logged("first_stage.log"),
    benchmark:
        built("benchmarks/first_stage.tsv")
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
        gpu=0,
    params:
        library=library("first_stage"),
        collections=study.used,
        stages=[study.first_stages[name] for name in study.used],
        published=[config["collections"][name]["published"] for name in study.used],
        tolerance=lookup("first_stage/tolerance", within=config),
    script:
        "../scripts/first_stage.py"


rule passages:
    input:
        candidates=built("collections/{collection}/candidates.trec"),
        judged=lambda wildcards: study.judgements_of(wildcards.collection),
        source=fetched,
        corpus=files_of("corpus.jsonl"),
    output:
        passages=built("collections/{collection}/passages.jsonl"),
    log:
        logged("passages/{collection}.log"),
    benchmark:
        built("benchmarks/passages/{collection}.tsv")
    conda:
        "../../envs/retrieve.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=120,
        gpu=0,
    params:
        library=library("passages"),
        spec=collection_spec,
    script:
        "../scripts/passages.py"
