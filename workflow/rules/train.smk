def unfinished(backbone, variant):
    """What a killed job has left of an adapter, from which the next one starts: not an output."""
    return built(f"adapters/{backbone}/.unfinished-{variant}")


for BATCH in BATCHES:

    rule:
        name:
            rule_of("train", BATCH)
        input:
            backbone=built("backbones/{backbone}"),
            heads=of_each(built("heads/{backbone}/{variant}.json"), BATCH),
            lists=built("lists/training.parquet"),
            pairs=of_each(built("pairs/{backbone}/{variant}/pairs.parquet"), BATCH),
            base=of_each(built("pairs/{backbone}/{variant}/base.parquet"), BATCH),
            queries=built("training/queries.jsonl"),
            passages=built("training/passages.jsonl"),
        output:
            adapters=of_each(built("adapters/{backbone}/{variant}/adapter_model.safetensors"), BATCH),
            lora=of_each(built("adapters/{backbone}/{variant}/adapter_config.json"), BATCH),
            heads=of_each(built("adapters/{backbone}/{variant}/heads.json"), BATCH),
            descriptions=of_each(built("adapters/{backbone}/{variant}/headrank_config.json"), BATCH),
            curves=of_each(built("adapters/{backbone}/{variant}/curve.csv"), BATCH),
            steps=of_each(built("adapters/{backbone}/{variant}/steps.csv"), BATCH),
        log:
            logged(f"train/{{backbone}}/{title(BATCH)}.log"),
        benchmark:
            built(f"benchmarks/train/{{backbone}}/{title(BATCH)}.tsv")
        conda:
            "../../envs/model.yaml"
        threads: config["threads"]
        resources:
            mem_mb=memory("train", BATCH),
            runtime=minutes("train", BATCH),
            gpu=GPU,
        params:
            library=library("train"),
            model=MODEL,
            queries=for_each(BATCH, training_queries),
            unfinished=for_each(BATCH, unfinished),
            seed=config["seed"],
            settings=for_each(
                BATCH,
                settings_of(
                    "prompt",
                    "encoding",
                    "query_span",
                    "document_span",
                    "candidates",
                    "mass",
                    "lists",
                    "pairs",
                    "loss",
                    "regulariser",
                    "training",
                    "inference",
                ),
            ),
        script:
            "../scripts/train.py"
