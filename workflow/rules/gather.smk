"""With `shards: N`, light jobs that join what the shards of a model job have written; otherwise none."""


rule gather_frozen:
    input:
        parts=shards.parts(rankings.frozen),
        candidates=rankings.benchmarks["candidates"],
    output:
        **shards.whole(rankings.frozen),
    log:
        logged("gather_frozen/{backbone}.log"),
    benchmark:
        built("benchmarks/gather_frozen/{backbone}.tsv")
    conda:
        "../../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60,
        gpu=0,
    params:
        library=library("gather"),
        queries=lambda wildcards: study.ranked(wildcards.backbone, wildcards.get("variant", "headrank")),
    script:
        "../scripts/gather.py"


use rule gather_frozen as gather_rerank with:
    input:
        parts=shards.parts(rankings.of(["{variant}"])),
        candidates=rankings.benchmarks["candidates"],
    output:
        **shards.whole(rankings.of(["{variant}"])),
    log:
        logged("gather_rerank/{backbone}/{variant}.log"),
    benchmark:
        built("benchmarks/gather_rerank/{backbone}/{variant}.tsv")


use rule gather_frozen as gather_generate with:
    input:
        parts=shards.parts(rankings.answered(study.written)),
        candidates=rankings.benchmarks["candidates"],
    output:
        **shards.whole(rankings.answered(study.written)),
    log:
        logged("gather_generate/{backbone}.log"),
    benchmark:
        built("benchmarks/gather_generate/{backbone}.tsv")
    params:
        queries=of_backbone(study.asked),


use rule gather_generate as gather_judge with:
    input:
        parts=shards.parts(rankings.answered([JUDGE])),
        candidates=rankings.benchmarks["candidates"],
    output:
        **shards.whole(rankings.answered([JUDGE])),
    log:
        logged("gather_judge/{backbone}.log"),
    benchmark:
        built("benchmarks/gather_judge/{backbone}.tsv")
    wildcard_constraints:
        backbone=one_of(study.judged_apart),


rule gather_features:
    input:
        parts=shards.parts(rankings.features),
        lists=built("lists/{pool}.parquet"),
    output:
        **shards.whole(rankings.features),
    log:
        logged("gather_features/{backbone}/{pool}.log"),
    benchmark:
        built("benchmarks/gather_features/{backbone}/{pool}.tsv")
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=16000,
        runtime=60,
        gpu=0,
    params:
        library=library("gather_features"),
    script:
        "../scripts/gather_features.py"
