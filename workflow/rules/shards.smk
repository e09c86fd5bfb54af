"""Model jobs in parts: with `shards: N` each writes its share of the queries, and a light job puts the parts together."""


def in_parts(path):
    """What a model job writes: the file itself or, with shards, its part of it."""
    if SHARDS == 1:
        return path
    open_, close = ("{{", "}}") if "{{study}}" in path else ("{", "}")
    study = f"results/{open_}study{close}/"
    return path.replace(study, f"{study}shards/{open_}shard{close}/")


def of_shard(path):
    """A log or benchmark file of its own for each shard."""
    folder, name = os.path.split(path)
    return path if SHARDS == 1 else f"{folder}/{{shard}}/{name}"


def shard_of(wildcards):
    """Number of the shard, from 0, and how many there are."""
    return [SHARD_NAMES.index(wildcards.shard) if SHARDS > 1 else 0, SHARDS]


def run_files(*files):
    """Files of every benchmark that one job writes for one backbone."""
    return expand("results/{{study}}/runs/{{backbone}}/{d}/{f}", d=config["benchmarks"], f=files)


def parts_of(files):
    return [in_parts(file).replace("{shard}", name) for name in SHARD_NAMES for file in files]


def of_methods(names, *endings):
    return [f"{name}{ending}" for name in names for ending in endings]


if SHARDS > 1:
    RANKING = (".trec", ".parquet")
    FROZEN_FILES = run_files(*of_methods(FROZEN, *RANKING), "masses.safetensors", "routes.parquet")
    RERANKED_FILES = run_files(*of_methods(["{variant}"], *RANKING))
    GENERATED_FILES = run_files(*of_methods(WRITTEN or ["none"], *RANKING, ".calls.jsonl.gz"))
    JUDGED_FILES = run_files(*of_methods(["qwen3-reranker"], *RANKING, ".calls.jsonl.gz"))

    rule gather_frozen:
        input:
            parts=parts_of(FROZEN_FILES),
            candidates=expand("results/{{study}}/collections/{d}/candidates.trec", d=config["benchmarks"]),
            library=library("gather"),
        output:
            FROZEN_FILES,
        log:
            "logs/{study}/gather_frozen/{backbone}.log",
        benchmark:
            "results/{study}/benchmarks/gather_frozen/{backbone}.tsv"
        conda:
            "../../envs/model.yaml"
        threads: 1
        resources:
            mem_mb=8000,
            runtime=60,
            gpu=0,
        params:
            parts=expand("results/{{study}}/shards/{shard}/runs", shard=SHARD_NAMES),
            queries=None,
        script:
            "../scripts/gather.py"

    use rule gather_frozen as gather_rerank with:
        input:
            parts=parts_of(RERANKED_FILES),
            candidates=expand("results/{{study}}/collections/{d}/candidates.trec", d=config["benchmarks"]),
            library=library("gather"),
        output:
            RERANKED_FILES,
        log:
            "logs/{study}/gather_rerank/{backbone}/{variant}.log",
        benchmark:
            "results/{study}/benchmarks/gather_rerank/{backbone}/{variant}.tsv"

    use rule gather_frozen as gather_generate with:
        input:
            parts=parts_of(GENERATED_FILES),
            candidates=expand("results/{{study}}/collections/{d}/candidates.trec", d=config["benchmarks"]),
            library=library("gather"),
        output:
            GENERATED_FILES,
        log:
            "logs/{study}/gather_generate/{backbone}.log",
        benchmark:
            "results/{study}/benchmarks/gather_generate/{backbone}.tsv"
        params:
            parts=expand("results/{{study}}/shards/{shard}/runs", shard=SHARD_NAMES),
            queries=config["generative"]["queries"],

    use rule gather_generate as gather_judge with:
        input:
            parts=parts_of(JUDGED_FILES),
            candidates=expand("results/{{study}}/collections/{d}/candidates.trec", d=config["benchmarks"]),
            library=library("gather"),
        output:
            JUDGED_FILES,
        log:
            "logs/{study}/gather_judge/{backbone}.log",
        benchmark:
            "results/{study}/benchmarks/gather_judge/{backbone}.tsv"

    rule gather_features:
        input:
            parts=parts_of(["results/{study}/features/{backbone}/{pool}.safetensors"]),
            lists="results/{study}/lists/{pool}.parquet",
            library=library("gather_features"),
        output:
            features="results/{study}/features/{backbone}/{pool}.safetensors",
        log:
            "logs/{study}/gather_features/{backbone}/{pool}.log",
        benchmark:
            "results/{study}/benchmarks/gather_features/{backbone}/{pool}.tsv"
        conda:
            "../../envs/evaluate.yaml"
        threads: 1
        resources:
            mem_mb=16000,
            runtime=60,
            gpu=0,
        script:
            "../scripts/gather_features.py"
