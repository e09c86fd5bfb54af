for BATCH in BATCHES:

    rule:
        name:
            rule_of("mine", BATCH)
        input:
            features=built("features/{backbone}/training.safetensors"),
            lists=built("lists/training.parquet"),
            heads=of_each(built("heads/{backbone}/{variant}.json"), BATCH),
        output:
            pairs=of_each(built("pairs/{backbone}/{variant}/pairs.parquet"), BATCH),
            base=of_each(built("pairs/{backbone}/{variant}/base.parquet"), BATCH),
        log:
            logged(f"mine/{{backbone}}/{title(BATCH)}.log"),
        benchmark:
            built(f"benchmarks/mine/{{backbone}}/{title(BATCH)}.tsv")
        conda:
            "../../envs/evaluate.yaml"
        threads: 1
        resources:
            mem_mb=8000,
            runtime=60,
            gpu=0,
        params:
            library=library("mine"),
            queries=for_each(BATCH, training_queries),
            seed=config["seed"],
            settings=for_each(BATCH, settings_of("mass", "loss", "pairs")),
        script:
            "../scripts/mine.py"
