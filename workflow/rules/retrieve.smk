rule index:
    input:
        source=of_collection(collections.fetched),
        corpus=of_collection(collections.files_of, ["corpus.jsonl"]),
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
        spec=of_collection(collections.spec),
        k1=lookup("first_stage/k1", within=config),
        b=lookup("first_stage/b", within=config),
    script:
        "../scripts/index.py"


rule embed:
    input:
        source=of_collection(collections.fetched),
        corpus=of_collection(collections.files_of, ["corpus.jsonl"]),
        encoder=built(f"backbones/{collections.encoder}"),
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
        spec=of_collection(collections.spec),
        encoder=collections.encoding,
        device=config["device"],
    script:
        "../scripts/embed.py"


rule retrieve:
    input:
        queries=built("collections/{collection}/queries.jsonl"),
        source=of_collection(collections.fetched),
        index=lambda wildcards: collections.index_of(wildcards.collection) or [],
        run=of_collection(collections.given_run),
    output:
        first_stage=built("collections/{collection}/first-stage.trec"),
        candidates=built("collections/{collection}/candidates.trec"),
    log:
        logged("retrieve/{collection}.log"),
    benchmark:
        built("benchmarks/retrieve/{collection}.tsv")
    wildcard_constraints:
        collection=one_of(collections.staged("bm25", "official", "run")),
    conda:
        "../../envs/retrieve.yaml"
    threads: 1
    resources:
        mem_mb=index_memory,
        runtime=240,
        gpu=0,
    params:
        library=library("retrieve"),
        spec=of_collection(collections.spec),
        stage=of_collection(collections.first_stages.get),
        depth=of_collection(collections.first_stage_depth),
        check_depth=of_collection(collections.check_depth),
        drop_same_id=lookup("collections/{collection}/drop_same_id", within=config),
        order_by=lookup("collections/{collection}/order_by", within=config),
    script:
        "../scripts/retrieve.py"


rule retrieve_dense:
    input:
        queries=built("collections/{collection}/queries.jsonl"),
        index=lambda wildcards: collections.index_of(wildcards.collection) or [],
        encoder=built(f"backbones/{collections.encoder}"),
    output:
        first_stage=built("collections/{collection}/first-stage.trec"),
        candidates=built("collections/{collection}/candidates.trec"),
    log:
        logged("retrieve_dense/{collection}.log"),
    benchmark:
        built("benchmarks/retrieve_dense/{collection}.tsv")
    wildcard_constraints:
        collection=one_of(collections.staged("dense")),
    conda:
        "../../envs/model.yaml"
    threads: config["threads"]
    resources:
        mem_mb=16000,
        runtime=240,
        gpu=0,
    params:
        library=library("retrieve_dense"),
        depth=of_collection(collections.first_stage_depth),
        check_depth=of_collection(collections.check_depth),
        drop_same_id=lookup("collections/{collection}/drop_same_id", within=config),
        encoder=collections.encoding,
    script:
        "../scripts/retrieve_dense.py"


rule first_stage:
    input:
        runs=expand(built("collections/{c}/first-stage.trec"), c=collections.used),
        qrels=expand(built("collections/{c}/qrels.trec"), c=collections.used),
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
        collections=collections.used,
        stages=[collections.first_stages[name] for name in collections.used],
        published=[config["collections"][name]["published"] for name in collections.used],
        tolerance=lookup("first_stage/tolerance", within=config),
    script:
        "../scripts/first_stage.py"


rule passages:
    input:
        candidates=built("collections/{collection}/candidates.trec"),
        judged=of_collection(collections.judgements_of),
        source=of_collection(collections.fetched),
        corpus=of_collection(collections.files_of, ["corpus.jsonl"]),
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
        spec=of_collection(collections.spec),
    script:
        "../scripts/passages.py"
