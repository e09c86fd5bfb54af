"""With `shards: N`, light jobs that put together what the shards of a model job have written."""

if study.shards > 1:

    rule gather_frozen:
        input:
            parts=parts_of(FROZEN_FILES),
            candidates=expand(built("collections/{d}/candidates.trec"), d=config["panel"]),
        output:
            FROZEN_FILES,
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
            parts=expand(built("shards/{shard}/runs"), shard=study.shard_names),
            queries=lambda wildcards: study.ranked(wildcards.backbone, wildcards.get("variant", "headrank")),
        script:
            "../scripts/gather.py"

    use rule gather_frozen as gather_rerank with:
        input:
            parts=parts_of(RERANKED_FILES),
            candidates=expand(built("collections/{d}/candidates.trec"), d=config["panel"]),
        output:
            RERANKED_FILES,
        log:
            logged("gather_rerank/{backbone}/{variant}.log"),
        benchmark:
            built("benchmarks/gather_rerank/{backbone}/{variant}.tsv")

    use rule gather_frozen as gather_generate with:
        input:
            parts=parts_of(GENERATED_FILES),
            candidates=expand(built("collections/{d}/candidates.trec"), d=config["panel"]),
        output:
            GENERATED_FILES,
        log:
            logged("gather_generate/{backbone}.log"),
        benchmark:
            built("benchmarks/gather_generate/{backbone}.tsv")
        params:
            library=library("gather"),
            parts=expand(built("shards/{shard}/runs"), shard=study.shard_names),
            queries=asked,

    use rule gather_generate as gather_judge with:
        input:
            parts=parts_of(JUDGED_FILES),
            candidates=expand(built("collections/{d}/candidates.trec"), d=config["panel"]),
        output:
            JUDGED_FILES,
        log:
            logged("gather_judge/{backbone}.log"),
        benchmark:
            built("benchmarks/gather_judge/{backbone}.tsv")
        wildcard_constraints:
            backbone=one_of(JUDGED_APART),

    rule gather_features:
        input:
            parts=parts_of([built("features/{backbone}/{pool}.safetensors")]),
            lists=built("lists/{pool}.parquet"),
        output:
            features=built("features/{backbone}/{pool}.safetensors"),
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
