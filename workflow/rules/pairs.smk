rule mine:
    input:
        features="results/{study}/features/{backbone}/training.safetensors",
        lists="results/{study}/lists/training.parquet",
        heads="results/{study}/heads/{backbone}/{variant}.json",
        library=library("mine"),
    output:
        pairs="results/{study}/pairs/{backbone}/{variant}/pairs.parquet",
        base="results/{study}/pairs/{backbone}/{variant}/base.parquet",
    log:
        "logs/{study}/mine/{backbone}/{variant}.log",
    benchmark:
        "results/{study}/benchmarks/mine/{backbone}/{variant}.tsv"
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
