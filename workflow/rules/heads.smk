rule lists:
    input:
        queries=built("{pool}/queries.jsonl"),
        qrels=built("{pool}/qrels.trec"),
        candidates=built("{pool}/candidates.trec"),
        passages=built("{pool}/passages.jsonl"),
        tests=expand(built("collections/{b}/queries.jsonl"), b=config["panel"]),
        # No model reads the candidates of a first stage that is not what it should be.
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
        samples=lambda wildcards: study.samples(wildcards.pool),
        seed=config["seed"],
    script:
        "../scripts/lists.py"


rule features:
    input:
        lists=of_each(built("lists/{pool}.parquet"), READ, "pool"),
        queries=of_each(built("{pool}/queries.jsonl"), READ, "pool"),
        passages=of_each(built("{pool}/passages.jsonl"), READ, "pool"),
        backbone=built("backbones/{backbone}"),
    output:
        features=of_each(in_parts(built("features/{backbone}/{pool}.safetensors")), READ, "pool"),
    log:
        of_shard(logged(f"features/{{backbone}}/{title(READ)}.log")),
    benchmark:
        of_shard(built(f"benchmarks/features/{{backbone}}/{title(READ)}.tsv"))
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
        # RouteHead learns from what the query looks like to the model.
        states=for_each(READ, lambda _, pool: study.routed and pool == "training"),
        model=MODEL,
        shard=shard_of,
        unfinished=in_parts(built(f"features/{{backbone}}/.unfinished-{title(READ)}")),
    script:
        "../scripts/features.py"


rule detect:
    input:
        features=expand(built("features/{{backbone}}/{p}.safetensors"), p=study.detected_on),
        lists=expand(built("lists/{p}.parquet"), p=study.detected_on),
    output:
        expand(built("heads/{{backbone}}/{m}.json"), m=study.detected or ["none"]),
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


for BATCH in BATCHES:

    rule:
        name:
            rule_of("select", BATCH)
        input:
            features=built("features/{backbone}/training.safetensors"),
            lists=built("lists/training.parquet"),
        output:
            heads=of_each(built("heads/{backbone}/{variant}.json"), BATCH),
        log:
            logged(f"select/{{backbone}}/{title(BATCH)}.log"),
        benchmark:
            built(f"benchmarks/select/{{backbone}}/{title(BATCH)}.tsv")
        conda:
            "../../envs/evaluate.yaml"
        threads: 1
        resources:
            mem_mb=8000,
            runtime=60,
            gpu=0,
        params:
            library=library("select", study.criteria),
            seed=config["seed"],
            settings=for_each(BATCH, settings_of("heads", "selection", "mass", "baselines")),
            queries=for_each(BATCH, training_queries),
        script:
            "../scripts/select.py"


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
