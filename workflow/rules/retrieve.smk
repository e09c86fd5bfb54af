rule retrieve:
    input:
        queries="results/{study}/collections/{collection}/queries.jsonl",
        corpus=files_of("corpus.jsonl"),
        run=given_run,
        library=library("retrieve"),
    output:
        candidates="results/{study}/collections/{collection}/candidates.trec",
    log:
        "logs/{study}/retrieve/{collection}.log",
    benchmark:
        "results/{study}/benchmarks/retrieve/{collection}.tsv"
    conda:
        "../../envs/retrieve.yaml"
    threads: 1
    resources:
        mem_mb=32000,
        runtime=240,
        gpu=0,
        downloads=downloads,
    params:
        spec=collection_spec,
        depth=first_stage_depth,
        drop_same_id=lookup("collections/{collection}/drop_same_id", within=config),
    script:
        "../scripts/retrieve.py"


rule passages:
    input:
        candidates="results/{study}/collections/{collection}/candidates.trec",
        judged=judged_files,
        corpus=files_of("corpus.jsonl"),
        library=library("passages"),
    output:
        passages="results/{study}/collections/{collection}/passages.jsonl",
    log:
        "logs/{study}/passages/{collection}.log",
    benchmark:
        "results/{study}/benchmarks/passages/{collection}.tsv"
    conda:
        "../../envs/retrieve.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=120,
        gpu=0,
        downloads=downloads,
    params:
        spec=collection_spec,
    script:
        "../scripts/passages.py"
