rule mine:
    input:
        features=RESULTS + "features/{backbone}/training.safetensors",
        lists=RESULTS + "lists/training.parquet",
        heads=RESULTS + "heads/{backbone}/{variant}.json",
        library=library("mine"),
    output:
        pairs=RESULTS + "pairs/{backbone}/{variant}/pairs.parquet",
        base=RESULTS + "pairs/{backbone}/{variant}/base.parquet",
    log:
        LOGS + "mine/{backbone}/{variant}.log",
    benchmark:
        RESULTS + "benchmarks/mine/{backbone}/{variant}.tsv"
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60,
        gpu=0,
    params:
        queries=training_queries,
        seed=config["seed"],
        settings=settings("mass", "loss", "pairs"),
    script:
        "../scripts/mine.py"
