"""Names of what model jobs write when each does a shard of the queries: with `shards: N` parts, otherwise whole files."""


def in_parts(path):
    """What a model job writes: the file itself or, with shards, its part of it."""
    if study.shards == 1:
        return path
    # Within expand() the wildcards that stay are in double braces.
    shard = "{{shard}}" if "{{" in path else "{shard}"
    return path.replace(RESULTS, f"{RESULTS}shards/{shard}/")


def of_shard(path):
    """A log or benchmark file of its own for each shard."""
    folder, name = os.path.split(path)
    return path if study.shards == 1 else f"{folder}/{{shard}}/{name}"


def shard_of(wildcards):
    """Number of the shard, from 0, and how many there are."""
    return [study.shard_names.index(wildcards.shard) if study.shards > 1 else 0, study.shards]


def run_files(*files):
    """Files of every benchmark that one job writes for one backbone."""
    return expand(built("runs/{{backbone}}/{d}/{f}"), d=config["panel"], f=files)


def parts_of(files):
    return [in_parts(file).replace("{shard}", name) for name in study.shard_names for file in files]


def of_methods(names, *endings):
    return [f"{name}{ending}" for name in names for ending in endings]


RANKING = (".trec", ".parquet")
FROZEN_FILES = run_files(*of_methods(study.frozen, *RANKING), "masses.safetensors", "routes.parquet")
RERANKED_FILES = run_files(*of_methods(["{variant}"], *RANKING))
GENERATED_FILES = run_files(*of_methods(study.written or ["none"], *RANKING, ".calls.jsonl.gz"))
JUDGED_FILES = run_files(*of_methods(["qwen3-reranker"], *RANKING, ".calls.jsonl.gz"))
