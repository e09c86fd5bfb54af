rule train:
    input:
        backbone=RESULTS + "backbones/{backbone}",
        heads=RESULTS + "heads/{backbone}/{variant}.json",
        lists=RESULTS + "lists/training.parquet",
        pairs=RESULTS + "pairs/{backbone}/{variant}/pairs.parquet",
        base=RESULTS + "pairs/{backbone}/{variant}/base.parquet",
        queries=RESULTS + "training/queries.jsonl",
        passages=RESULTS + "training/passages.jsonl",
        library=library("train"),
    output:
        adapter=RESULTS + "adapters/{backbone}/{variant}/adapter_model.safetensors",
        lora=RESULTS + "adapters/{backbone}/{variant}/adapter_config.json",
        heads=RESULTS + "adapters/{backbone}/{variant}/heads.json",
        description=RESULTS + "adapters/{backbone}/{variant}/headrank_config.json",
        curve=RESULTS + "adapters/{backbone}/{variant}/curve.csv",
        steps=RESULTS + "adapters/{backbone}/{variant}/steps.csv",
    log:
        LOGS + "train/{backbone}/{variant}.log",
    benchmark:
        RESULTS + "benchmarks/train/{backbone}/{variant}.tsv"
    conda:
        "../../envs/model.yaml"
    threads: config["threads"]
    resources:
        mem_mb=model_memory,
        runtime=1440,
        gpu=GPU,
    params:
        model=MODEL,
        queries=training_queries,
        # Not an output: what a killed job has left there is what the next one starts from.
        unfinished=RESULTS + "adapters/{backbone}/.unfinished-{variant}",
        seed=config["seed"],
        settings=settings(
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
    script:
        "../scripts/train.py"
