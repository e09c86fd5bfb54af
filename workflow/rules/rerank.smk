rule frozen:
    input:
        backbone=built("backbones/{backbone}"),
        queries=expand(built("collections/{d}/queries.jsonl"), d=config["panel"]),
        candidates=expand(built("collections/{d}/candidates.trec"), d=config["panel"]),
        passages=expand(built("collections/{d}/passages.jsonl"), d=config["panel"]),
        heads=expand(built("heads/{{backbone}}/{m}.json"), m=[*study.detected, "headrank"]),
        router=built("routers/{backbone}/router.safetensors") if study.routed else [],
        checked=ancient(built("metrics/first-stage.parquet")),
    output:
        runs=expand(in_parts(built("runs/{{backbone}}/{d}/{m}.trec")), d=config["panel"], m=study.frozen),
        rankings=expand(
            in_parts(built("runs/{{backbone}}/{d}/{m}.parquet")), d=config["panel"], m=study.frozen
        ),
        masses=expand(in_parts(built("runs/{{backbone}}/{d}/masses.safetensors")), d=config["panel"]),
        routes=expand(in_parts(built("runs/{{backbone}}/{d}/routes.parquet")), d=config["panel"]),
    log:
        of_shard(logged("frozen/{backbone}.log")),
    benchmark:
        of_shard(built("benchmarks/frozen/{backbone}.tsv"))
    conda:
        "../../envs/model.yaml"
    threads: config["threads"]
    resources:
        mem_mb=memory("frozen"),
        runtime=minutes("frozen"),
        gpu=GPU,
        tokens_per_pass=tokens_per_pass,
    params:
        library=library("frozen", study.frozen),
        benchmarks={d: config["collections"][d]["id"] for d in config["panel"]},
        queries=lambda wildcards: study.ranked(wildcards.backbone),
        methods=study.frozen,
        model=MODEL,
        shard=shard_of,
        unfinished=in_parts(built("runs/{backbone}/.unfinished-frozen")),
        settings=settings(
            "prompt", "query_span", "document_span", "candidates", "mass", "loss", "inference", "baselines"
        ),
    script:
        "../scripts/frozen.py"


for BATCH in BATCHES:

    rule:
        name:
            rule_of("rerank", BATCH)
        input:
            backbone=built("backbones/{backbone}"),
            queries=expand(built("collections/{d}/queries.jsonl"), d=config["panel"]),
            candidates=expand(built("collections/{d}/candidates.trec"), d=config["panel"]),
            passages=expand(built("collections/{d}/passages.jsonl"), d=config["panel"]),
            adapters=of_each(built("adapters/{backbone}/{variant}/adapter_model.safetensors"), BATCH),
            descriptions=of_each(built("adapters/{backbone}/{variant}/headrank_config.json"), BATCH),
        output:
            runs=expand(in_parts(built("runs/{{backbone}}/{d}/{v}.trec")), v=BATCH, d=config["panel"]),
            rankings=expand(in_parts(built("runs/{{backbone}}/{d}/{v}.parquet")), v=BATCH, d=config["panel"]),
        log:
            of_shard(logged(f"rerank/{{backbone}}/{title(BATCH)}.log")),
        benchmark:
            of_shard(built(f"benchmarks/rerank/{{backbone}}/{title(BATCH)}.tsv"))
        conda:
            "../../envs/model.yaml"
        threads: config["threads"]
        resources:
            mem_mb=memory("rerank"),
            runtime=minutes("rerank", BATCH),
            gpu=GPU,
            tokens_per_pass=tokens_per_pass,
        params:
            library=library("rerank"),
            model=MODEL,
            queries=for_each(BATCH, study.ranked),
            shard=shard_of,
            unfinished=in_parts(built(f"runs/{{backbone}}/.unfinished-rerank-{title(BATCH)}")),
            settings=for_each(BATCH, settings_of(*RANKED_BY)),
        script:
            "../scripts/rerank.py"


rule generate:
    input:
        backbone=built("backbones/{backbone}"),
        queries=expand(built("collections/{d}/queries.jsonl"), d=config["panel"]),
        candidates=expand(built("collections/{d}/candidates.trec"), d=config["panel"]),
        passages=expand(built("collections/{d}/passages.jsonl"), d=config["panel"]),
        checked=ancient(built("metrics/first-stage.parquet")),
    output:
        runs=expand(
            in_parts(built("runs/{{backbone}}/{d}/{m}.trec")),
            d=config["panel"],
            m=study.written or ["none"],
        ),
        rankings=expand(
            in_parts(built("runs/{{backbone}}/{d}/{m}.parquet")),
            d=config["panel"],
            m=study.written or ["none"],
        ),
        calls=expand(
            in_parts(built("runs/{{backbone}}/{d}/{m}.calls.jsonl.gz")),
            d=config["panel"],
            m=study.written or ["none"],
        ),
    log:
        of_shard(logged("generate/{backbone}.log")),
    benchmark:
        of_shard(built("benchmarks/generate/{backbone}.tsv"))
    conda:
        "../../envs/model.yaml"
    threads: config["threads"]
    resources:
        mem_mb=memory("generate"),
        runtime=minutes("generate"),
        gpu=GPU,
    params:
        library=library("generate", study.written),
        methods=study.written,
        queries=asked,
        settings=study.generative_settings,
        depth=lookup("headrank/candidates/depth", within=config),
        model=MODEL,
        shard=shard_of,
        unfinished=in_parts(built("runs/{backbone}/.unfinished-generate")),
    script:
        "../scripts/generate.py"


rule judge:
    input:
        backbone=lambda wildcards: built(f"backbones/{study.reranker_of(wildcards.backbone)}"),
        queries=expand(built("collections/{d}/queries.jsonl"), d=config["panel"]),
        candidates=expand(built("collections/{d}/candidates.trec"), d=config["panel"]),
        passages=expand(built("collections/{d}/passages.jsonl"), d=config["panel"]),
        checked=ancient(built("metrics/first-stage.parquet")),
    output:
        runs=expand(
            in_parts(built("runs/{{backbone}}/{d}/{m}.trec")),
            d=config["panel"],
            m=["qwen3-reranker"],
        ),
        rankings=expand(
            in_parts(built("runs/{{backbone}}/{d}/{m}.parquet")),
            d=config["panel"],
            m=["qwen3-reranker"],
        ),
        calls=expand(
            in_parts(built("runs/{{backbone}}/{d}/{m}.calls.jsonl.gz")),
            d=config["panel"],
            m=["qwen3-reranker"],
        ),
    log:
        of_shard(logged("judge/{backbone}.log")),
    benchmark:
        of_shard(built("benchmarks/judge/{backbone}.tsv"))
    wildcard_constraints:
        backbone=one_of(JUDGED_APART),
    conda:
        "../../envs/model.yaml"
    threads: config["threads"]
    resources:
        mem_mb=memory("judge"),
        runtime=minutes("judge"),
        gpu=GPU,
    params:
        library=library("generate", [study.apart] if study.apart else []),
        methods=["qwen3-reranker"],
        queries=asked,
        settings=study.generative_settings,
        depth=lookup("headrank/candidates/depth", within=config),
        model=MODEL,
        shard=shard_of,
        unfinished=in_parts(built("runs/{backbone}/.unfinished-judge")),
    script:
        "../scripts/generate.py"
