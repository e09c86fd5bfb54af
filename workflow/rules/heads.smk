rule lists:
    input:
        queries=built("{pool}/queries.jsonl"),
        qrels=built("{pool}/qrels.trec"),
        candidates=built("{pool}/candidates.trec"),
        passages=built("{pool}/passages.jsonl"),
        leakage=built("leakage.json"),
        # No model reads the candidates before the first stage has passed its check.
        checked=ancient(built("metrics/first-stage.parquet")),
    output:
        lists=built("lists/{pool}.parquet"),
    log:
        logged("lists/{pool}.log"),
    benchmark:
        built("benchmarks/lists/{pool}.tsv")
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
        gpu=0,
    params:
        library=library("lists"),
        settings=settings("lists"),
        pool=lambda wildcards: wildcards.pool,
        samples=lambda wildcards: samples(study, wildcards.pool),
        seed=config["seed"],
    script:
        "../scripts/lists.py"


READ = pools(study)


rule features:
    input:
        lists=READ.files(built("lists/{pool}.parquet")),
        queries=READ.files(built("{pool}/queries.jsonl")),
        passages=READ.files(built("{pool}/passages.jsonl")),
        backbone=built("backbones/{backbone}"),
    output:
        features=READ.files(shards.part(built("features/{backbone}/{pool}.safetensors"))),
    log:
        shards.log(logged(f"features/{{backbone}}/{READ.title}.log")),
    benchmark:
        shards.log(built(f"benchmarks/features/{{backbone}}/{READ.title}.tsv"))
    conda:
        "../../envs/model.yaml"
    threads: config["threads"]
    resources:
        mem_mb=memory("features", READ),
        runtime=minutes("features", READ),
        gpu=GPU,
        tokens_per_pass=tokens_per_pass,
    params:
        library=library("features"),
        settings=settings("prompt", "query_span", "document_span", "routehead"),
        # RouteHead learns from the model's hidden states of the query.
        states=READ.each(lambda _, pool: study.routed and pool == "training"),
        model=MODEL,
        shard=shards.number,
        unfinished=shards.part(built(f"features/{{backbone}}/.unfinished-{READ.title}")),
    script:
        "../scripts/features.py"


rule detect:
    input:
        features=expand(built("features/{{backbone}}/{p}.safetensors"), p=study.detected_on),
        lists=expand(built("lists/{p}.parquet"), p=study.detected_on),
    output:
        heads=expand(built("heads/{{backbone}}/{m}.json"), m=study.detected or ["none"]),
    log:
        logged("detect/{backbone}.log"),
    benchmark:
        built("benchmarks/detect/{backbone}.tsv")
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60,
        gpu=0,
    params:
        library=library("detect", study.detected),
        seed=config["seed"],
        settings=settings("baselines"),
    script:
        "../scripts/detect.py"


rule route:
    input:
        features=built("features/{backbone}/training.safetensors"),
        lists=built("lists/training.parquet"),
    output:
        router=built("routers/{backbone}/router.safetensors"),
        heads=built("heads/{backbone}/routehead.json"),
        curve=built("routers/{backbone}/curve.csv"),
    log:
        logged("route/{backbone}.log"),
    benchmark:
        built("benchmarks/route/{backbone}.tsv")
    conda:
        "../../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60,
        gpu=0,
    params:
        library=library("route"),
        seed=config["seed"],
        settings=settings("routehead"),
    script:
        "../scripts/route.py"
