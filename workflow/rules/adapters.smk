"""From head sets to rankings, for every adapter that the study trains."""

# By default the loop runs once, and its rules have plain wildcards. With `adapters_per_job` a job serves several adapters; as
# the files that a rule writes cannot depend on its wildcards, each batch has its own rules. The mini study has 130 jobs this
# way instead of 173; 23 of those saved would import PyTorch and transformers, 3 to 5 seconds each.
for BATCH in batches(study):

    rule:
        name:
            BATCH.rule("select")
        input:
            features=built("features/{backbone}/training.safetensors"),
            lists=built("lists/training.parquet"),
        output:
            heads=BATCH.files(built("heads/{backbone}/{variant}.json")),
        log:
            logged(f"select/{{backbone}}/{BATCH.title}.log"),
        benchmark:
            built(f"benchmarks/select/{{backbone}}/{BATCH.title}.tsv")
        conda:
            "../../envs/evaluate.yaml"
        threads: 1
        resources:
            mem_mb=8000,
            runtime=60,
            gpu=0,
        params:
            library=library("select", criteria(study)),
            seed=config["seed"],
            settings=BATCH.each(of_adapters("heads", "selection", "mass", "baselines")),
            queries=BATCH.each(partial(training_queries, study)),
        script:
            "../scripts/select.py"

    rule:
        name:
            BATCH.rule("mine")
        input:
            features=built("features/{backbone}/training.safetensors"),
            lists=built("lists/training.parquet"),
            heads=BATCH.files(built("heads/{backbone}/{variant}.json")),
        output:
            pairs=BATCH.files(built("pairs/{backbone}/{variant}/pairs.parquet")),
            base=BATCH.files(built("pairs/{backbone}/{variant}/base.parquet")),
        log:
            logged(f"mine/{{backbone}}/{BATCH.title}.log"),
        benchmark:
            built(f"benchmarks/mine/{{backbone}}/{BATCH.title}.tsv")
        conda:
            "../../envs/evaluate.yaml"
        threads: 1
        resources:
            mem_mb=8000,
            runtime=60,
            gpu=0,
        params:
            library=library("mine"),
            queries=BATCH.each(partial(training_queries, study)),
            seed=config["seed"],
            settings=BATCH.each(of_adapters("mass", "loss", "pairs")),
        script:
            "../scripts/mine.py"

    rule:
        name:
            BATCH.rule("train")
        input:
            backbone=built("backbones/{backbone}"),
            heads=BATCH.files(built("heads/{backbone}/{variant}.json")),
            lists=built("lists/training.parquet"),
            pairs=BATCH.files(built("pairs/{backbone}/{variant}/pairs.parquet")),
            base=BATCH.files(built("pairs/{backbone}/{variant}/base.parquet")),
            queries=built("training/queries.jsonl"),
            passages=built("training/passages.jsonl"),
        output:
            adapters=BATCH.files(built("adapters/{backbone}/{variant}/adapter_model.safetensors")),
            lora=BATCH.files(built("adapters/{backbone}/{variant}/adapter_config.json")),
            heads=BATCH.files(built("adapters/{backbone}/{variant}/heads.json")),
            descriptions=BATCH.files(built("adapters/{backbone}/{variant}/headrank_config.json")),
            curves=BATCH.files(built("adapters/{backbone}/{variant}/curve.csv")),
            steps=BATCH.files(built("adapters/{backbone}/{variant}/steps.csv")),
        log:
            logged(f"train/{{backbone}}/{BATCH.title}.log"),
        benchmark:
            built(f"benchmarks/train/{{backbone}}/{BATCH.title}.tsv")
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
            queries=BATCH.each(partial(training_queries, study)),
            # What a killed job has left of an adapter, from which the next job resumes: not an output.
            unfinished=BATCH.each(lambda b, variant: built(f"adapters/{b}/.unfinished-{variant}")),
            seed=config["seed"],
            settings=BATCH.each(of_adapters(*TRAINED_BY)),
        script:
            "../scripts/train.py"

    rule:
        name:
            BATCH.rule("rerank")
        input:
            **rankings.benchmarks,
            backbone=built("backbones/{backbone}"),
            adapters=BATCH.files(built("adapters/{backbone}/{variant}/adapter_model.safetensors")),
            descriptions=BATCH.files(built("adapters/{backbone}/{variant}/headrank_config.json")),
        output:
            **shards.own(rankings.of(BATCH.names)),
        log:
            shards.log(logged(f"rerank/{{backbone}}/{BATCH.title}.log")),
        benchmark:
            shards.log(built(f"benchmarks/rerank/{{backbone}}/{BATCH.title}.tsv"))
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
            queries=BATCH.each(study.ranked),
            shard=shards.number,
            unfinished=shards.part(built(f"runs/{{backbone}}/.unfinished-rerank-{BATCH.title}")),
            settings=BATCH.each(of_adapters(*RANKED_BY)),
        script:
            "../scripts/rerank.py"
