rule frozen:
    input:
        backbone="results/{study}/backbones/{backbone}",
        queries="results/{study}/collections/{benchmark}/queries.jsonl",
        candidates="results/{study}/collections/{benchmark}/candidates.trec",
        passages="results/{study}/collections/{benchmark}/passages.jsonl",
        qrhead="results/{study}/heads/{backbone}/qrhead.json",
        core="results/{study}/heads/{backbone}/core.json",
        headrank="results/{study}/heads/{backbone}/headrank.json",
        library=library("rerank"),
    output:
        runs=expand("results/{{study}}/runs/{{backbone}}/{{benchmark}}/{method}.trec", method=FROZEN),
        rankings=expand("results/{{study}}/runs/{{backbone}}/{{benchmark}}/{method}.parquet", method=FROZEN),
        masses="results/{study}/runs/{backbone}/{benchmark}/masses.safetensors",
    log:
        "logs/{study}/frozen/{backbone}/{benchmark}.log",
    benchmark:
        "results/{study}/benchmarks/frozen/{backbone}/{benchmark}.tsv"
    conda:
        "../../envs/model.yaml"
    threads: config["threads"]
    resources:
        mem_mb=model_memory,
        runtime=720,
        gpu=GPU,
    params:
        methods=FROZEN,
        model=MODEL,
        settings=settings("prompt", "query_span", "document_span", "candidates", "mass", "inference"),
    script:
        "../scripts/frozen.py"


rule rerank:
    input:
        backbone="results/{study}/backbones/{backbone}",
        queries="results/{study}/collections/{benchmark}/queries.jsonl",
        candidates="results/{study}/collections/{benchmark}/candidates.trec",
        passages="results/{study}/collections/{benchmark}/passages.jsonl",
        adapter="results/{study}/adapters/{backbone}/{variant}/adapter_model.safetensors",
        description="results/{study}/adapters/{backbone}/{variant}/headrank_config.json",
        library=library("rerank"),
    output:
        run="results/{study}/runs/{backbone}/{benchmark}/{variant}.trec",
        ranking="results/{study}/runs/{backbone}/{benchmark}/{variant}.parquet",
    log:
        "logs/{study}/rerank/{backbone}/{benchmark}/{variant}.log",
    benchmark:
        "results/{study}/benchmarks/rerank/{backbone}/{benchmark}/{variant}.tsv"
    conda:
        "../../envs/model.yaml"
    threads: config["threads"]
    resources:
        mem_mb=model_memory,
        runtime=720,
        gpu=GPU,
    params:
        model=MODEL,
        settings=settings("prompt", "query_span", "document_span", "candidates", "mass", "inference"),
    script:
        "../scripts/rerank.py"
