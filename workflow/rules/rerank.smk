rule frozen:
    input:
        **rankings.benchmarks,
        backbone=built("backbones/{backbone}"),
        heads=expand(built("heads/{{backbone}}/{m}.json"), m=study.head_sets),
        router=built("routers/{backbone}/router.safetensors") if study.routed else [],
        checked=ancient(built("metrics/first-stage.parquet")),
    output:
        **shards.own(rankings.frozen),
    log:
        shards.log(logged("frozen/{backbone}.log")),
    benchmark:
        shards.log(built("benchmarks/frozen/{backbone}.tsv"))
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
        benchmarks={d: config["collections"][d]["id"] for d in study.panel},
        queries=of_backbone(study.ranked),
        methods=study.frozen,
        model=MODEL,
        shard=shards.number,
        unfinished=shards.part(built("runs/{backbone}/.unfinished-frozen")),
        settings=settings(
            "prompt", "query_span", "document_span", "candidates", "mass", "loss", "inference", "baselines"
        ),
    script:
        "../scripts/frozen.py"


rule generate:
    input:
        **rankings.benchmarks,
        backbone=built("backbones/{backbone}"),
        checked=ancient(built("metrics/first-stage.parquet")),
    output:
        **shards.own(rankings.answered(study.written)),
    log:
        shards.log(logged("generate/{backbone}.log")),
    benchmark:
        shards.log(built("benchmarks/generate/{backbone}.tsv"))
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
        queries=of_backbone(study.asked),
        settings=study.generative_settings,
        depth=lookup("headrank/candidates/depth", within=config),
        model=MODEL,
        shard=shards.number,
        unfinished=shards.part(built("runs/{backbone}/.unfinished-generate")),
    script:
        "../scripts/generate.py"


use rule generate as judge with:
    input:
        **rankings.benchmarks,
        backbone=lambda wildcards: built(f"backbones/{study.reranker_of(wildcards.backbone)}"),
        checked=ancient(built("metrics/first-stage.parquet")),
    output:
        **shards.own(rankings.answered([JUDGE])),
    log:
        shards.log(logged("judge/{backbone}.log")),
    benchmark:
        shards.log(built("benchmarks/judge/{backbone}.tsv"))
    wildcard_constraints:
        backbone=one_of(study.judged_apart),
    resources:
        mem_mb=memory("judge"),
        runtime=minutes("judge"),
        gpu=GPU,
    params:
        library=library("generate", [JUDGE] if study.apart else []),
        methods=[JUDGE],
        unfinished=shards.part(built("runs/{backbone}/.unfinished-judge")),
