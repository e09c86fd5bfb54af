rule plant_backbone:
    input:
        passages=expand(RESULTS + "collections/{c}/passages.jsonl", c=USED),
        library=library("plant_backbone"),
    output:
        backbone=directory(RESULTS + "backbones/{backbone}"),
    log:
        LOGS + "plant_backbone/{backbone}.log",
    benchmark:
        RESULTS + "benchmarks/plant_backbone/{backbone}.tsv"
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
        spec=lookup("backbones/{backbone}/planted", within=config),
    script:
        "../scripts/plant_backbone.py"


rule plant_realtext:
    input:
        passages=expand(RESULTS + "collections/{c}/passages.jsonl", c=USED),
        tokenizer=tokenizer_file,
        library=library("plant_realtext"),
    output:
        backbone=directory(RESULTS + "backbones/{backbone}"),
    log:
        LOGS + "plant_realtext/{backbone}.log",
    benchmark:
        RESULTS + "benchmarks/plant_realtext/{backbone}.tsv"
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
        spec=lookup("backbones/{backbone}/realtext", within=config),
    script:
        "../scripts/plant_realtext.py"


rule link_backbone:
    input:
        config=checkpoint_config,
        library=library("link_backbone"),
    output:
        backbone=directory(RESULTS + "backbones/{backbone}"),
    log:
        LOGS + "link_backbone/{backbone}.log",
    benchmark:
        RESULTS + "benchmarks/link_backbone/{backbone}.tsv"
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
        # Encoders of a first stage are not read by the engine.
        decoder=lambda wildcards: wildcards.backbone not in config["encoders"],
    script:
        "../scripts/link_backbone.py"


rule fetch_backbone:
    input:
        library=library("fetch_backbone"),
    output:
        backbone=directory(RESULTS + "backbones/{backbone}"),
    log:
        LOGS + "fetch_backbone/{backbone}.log",
    benchmark:
        RESULTS + "benchmarks/fetch_backbone/{backbone}.tsv"
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
        id=lookup("{backbone}/id", within=MODELS),
        revision=lookup("{backbone}/revision", within=MODELS),
    script:
        "../scripts/fetch_backbone.py"


rule lists:
    input:
        queries=RESULTS + "{pool}/queries.jsonl",
        qrels=RESULTS + "{pool}/qrels.trec",
        candidates=RESULTS + "{pool}/candidates.trec",
        passages=RESULTS + "{pool}/passages.jsonl",
        tests=expand(RESULTS + "collections/{b}/queries.jsonl", b=config["panel"]),
        # No model reads the candidates of a first stage that is not what it should be.
        checked=ancient(RESULTS + "metrics/first-stage.parquet"),
        library=library("lists"),
    output:
        lists=RESULTS + "lists/{pool}.parquet",
    log:
        LOGS + "lists/{pool}.log",
    benchmark:
        RESULTS + "benchmarks/lists/{pool}.tsv"
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
        gpu=0,
    params:
        settings=settings("lists"),
        samples=samples,
        seed=config["seed"],
    script:
        "../scripts/lists.py"


rule features:
    input:
        lists=RESULTS + "lists/{pool}.parquet",
        queries=RESULTS + "{pool}/queries.jsonl",
        passages=RESULTS + "{pool}/passages.jsonl",
        backbone=RESULTS + "backbones/{backbone}",
        library=library("features"),
    output:
        features=in_parts(RESULTS + "features/{backbone}/{pool}.safetensors"),
    log:
        of_shard(LOGS + "features/{backbone}/{pool}.log"),
    benchmark:
        of_shard(RESULTS + "benchmarks/features/{backbone}/{pool}.tsv")
    conda:
        "../../envs/model.yaml"
    threads: config["threads"]
    resources:
        mem_mb=model_memory,
        runtime=720,
        gpu=GPU,
        tokens_per_pass=tokens_per_pass,
    params:
        settings=settings("prompt", "query_span", "document_span", "routehead"),
        # RouteHead learns from what the query looks like to the model.
        states=lambda wildcards: ROUTED and wildcards.pool == "training",
        model=MODEL,
        shard=shard_of,
    script:
        "../scripts/features.py"


rule detect:
    input:
        features=expand(RESULTS + "features/{{backbone}}/{p}.safetensors", p=DETECTED_ON),
        lists=expand(RESULTS + "lists/{p}.parquet", p=DETECTED_ON),
        library=library("detect"),
    output:
        expand(RESULTS + "heads/{{backbone}}/{m}.json", m=DETECTED or ["none"]),
    log:
        LOGS + "detect/{backbone}.log",
    benchmark:
        RESULTS + "benchmarks/detect/{backbone}.tsv"
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60,
        gpu=0,
    params:
        seed=config["seed"],
        settings=settings("baselines"),
    script:
        "../scripts/detect.py"


rule select:
    input:
        features=RESULTS + "features/{backbone}/training.safetensors",
        lists=RESULTS + "lists/training.parquet",
        library=library("select"),
    output:
        heads=RESULTS + "heads/{backbone}/{variant}.json",
    log:
        LOGS + "select/{backbone}/{variant}.log",
    benchmark:
        RESULTS + "benchmarks/select/{backbone}/{variant}.tsv"
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60,
        gpu=0,
    params:
        seed=config["seed"],
        settings=settings("heads", "selection", "mass", "baselines"),
        queries=training_queries,
    script:
        "../scripts/select.py"


rule route:
    input:
        features=RESULTS + "features/{backbone}/training.safetensors",
        lists=RESULTS + "lists/training.parquet",
        library=library("route"),
    output:
        router=RESULTS + "routers/{backbone}/router.safetensors",
        heads=RESULTS + "heads/{backbone}/routehead.json",
        curve=RESULTS + "routers/{backbone}/curve.csv",
    log:
        LOGS + "route/{backbone}.log",
    benchmark:
        RESULTS + "benchmarks/route/{backbone}.tsv"
    conda:
        "../../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60,
        gpu=0,
    params:
        seed=config["seed"],
        settings=settings("routehead"),
    script:
        "../scripts/route.py"
