rule plant_backbone:
    input:
        passages=expand(built("collections/{c}/passages.jsonl"), c=USED),
    output:
        backbone=directory(built("backbones/{backbone}")),
    log:
        logged("plant_backbone/{backbone}.log"),
    benchmark:
        built("benchmarks/plant_backbone/{backbone}.tsv")
    wildcard_constraints:
        backbone=one_of(having(config["backbones"], "source", "planted")),
    conda:
        "../../envs/model.yaml"
    threads: config["threads"]
    resources:
        mem_mb=4000,
        runtime=60,
        gpu=0,
    params:
        library=library("plant_backbone"),
        spec=lookup("backbones/{backbone}/planted", within=config),
    script:
        "../scripts/plant_backbone.py"


rule plant_realtext:
    input:
        passages=expand(built("collections/{c}/passages.jsonl"), c=USED),
        tokenizer=tokenizer_file,
    output:
        backbone=directory(built("backbones/{backbone}")),
    log:
        logged("plant_realtext/{backbone}.log"),
    benchmark:
        built("benchmarks/plant_realtext/{backbone}.tsv")
    wildcard_constraints:
        backbone=one_of(having(config["backbones"], "source", "realtext")),
    conda:
        "../../envs/model.yaml"
    threads: config["threads"]
    resources:
        mem_mb=8000,
        runtime=60,
        gpu=0,
    params:
        library=library("plant_realtext"),
        spec=lookup("backbones/{backbone}/realtext", within=config),
    script:
        "../scripts/plant_realtext.py"


rule link_backbone:
    input:
        config=checkpoint_config,
    output:
        backbone=directory(built("backbones/{backbone}")),
    log:
        logged("link_backbone/{backbone}.log"),
    benchmark:
        built("benchmarks/link_backbone/{backbone}.tsv")
    wildcard_constraints:
        backbone=one_of(having(MODELS, "source", "local")),
    localrule: True
    conda:
        "../../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        library=library("link_backbone"),
        # Encoders of a first stage are not read by the engine.
        decoder=lambda wildcards: wildcards.backbone not in config["encoders"],
    script:
        "../scripts/link_backbone.py"


rule fetch_backbone:
    output:
        backbone=directory(built("backbones/{backbone}")),
    log:
        logged("fetch_backbone/{backbone}.log"),
    benchmark:
        built("benchmarks/fetch_backbone/{backbone}.tsv")
    wildcard_constraints:
        backbone=one_of(having(MODELS, "source", "hub")),
    retries: 2
    localrule: True
    conda:
        "../../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=240,
        gpu=0,
        downloads=1,
    params:
        library=library("fetch_backbone"),
        id=lookup("{backbone}/id", within=MODELS),
        revision=lookup("{backbone}/revision", within=MODELS),
    script:
        "../scripts/fetch_backbone.py"


rule fetch_gguf:
    output:
        file=built("gguf/{backbone}.gguf"),
    log:
        logged("fetch_gguf/{backbone}.log"),
    benchmark:
        built("benchmarks/fetch_gguf/{backbone}.tsv")
    wildcard_constraints:
        backbone=one_of(having(MODELS, "source", "gguf")),
    retries: 2
    localrule: True
    conda:
        "../../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=240,
        gpu=0,
        downloads=1,
    params:
        library=library("fetch_gguf"),
        id=lookup("{backbone}/id", within=MODELS),
        revision=lookup("{backbone}/revision", within=MODELS),
        file=lookup("{backbone}/file", within=MODELS),
        sha256=lookup("{backbone}/sha256", within=MODELS),
    script:
        "../scripts/fetch_gguf.py"


rule unpack_gguf:
    input:
        file=lambda wildcards: gguf_file(wildcards.backbone),
    output:
        backbone=directory(built("backbones/{backbone}")),
    log:
        logged("unpack_gguf/{backbone}.log"),
    benchmark:
        built("benchmarks/unpack_gguf/{backbone}.tsv")
    wildcard_constraints:
        backbone=one_of(having(MODELS, "source", "gguf")),
    conda:
        "../../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=unpacking_memory,
        runtime=60,
        gpu=0,
    params:
        library=library("unpack_gguf"),
        spec=lambda wildcards: {
            key: MODELS[wildcards.backbone][key] for key in ("id", "revision", "file", "sha256")
        },
        # Encoders of a first stage are not read by the engine.
        decoder=lambda wildcards: wildcards.backbone not in config["encoders"],
    script:
        "../scripts/unpack_gguf.py"


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
        samples=samples,
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
        mem_mb=memory("features", READ, "pool"),
        runtime=minutes("features", READ, "pool"),
        gpu=GPU,
        tokens_per_pass=tokens_per_pass,
    params:
        library=library("features"),
        settings=settings("prompt", "query_span", "document_span", "routehead"),
        # RouteHead learns from what the query looks like to the model.
        states=for_each(READ, lambda wildcards: ROUTED and wildcards.pool == "training", "pool"),
        model=MODEL,
        shard=shard_of,
    script:
        "../scripts/features.py"


rule detect:
    input:
        features=expand(built("features/{{backbone}}/{p}.safetensors"), p=DETECTED_ON),
        lists=expand(built("lists/{p}.parquet"), p=DETECTED_ON),
    output:
        expand(built("heads/{{backbone}}/{m}.json"), m=DETECTED or ["none"]),
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
        library=library("detect"),
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
            library=library("select"),
            seed=config["seed"],
            settings=for_each(BATCH, settings("heads", "selection", "mass", "baselines")),
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
