rule mine:
    input:
        features=built("features/{backbone}/training.safetensors"),
        lists=built("lists/training.parquet"),
        heads=built("heads/{backbone}/{variant}.json"),
    output:
        pairs=built("pairs/{backbone}/{variant}/pairs.parquet"),
        base=built("pairs/{backbone}/{variant}/base.parquet"),
    log:
        logged("mine/{backbone}/{variant}.log"),
    benchmark:
        built("benchmarks/mine/{backbone}/{variant}.tsv")
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60,
        gpu=0,
    params:
        library=library("mine"),
        queries=training_queries,
        seed=config["seed"],
        settings=settings("mass", "loss", "pairs"),
    script:
        "../scripts/mine.py"
