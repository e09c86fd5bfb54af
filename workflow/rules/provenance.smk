"""What the finished study records about itself: its origin, a sidecar next to each run, and a digest of every file.

All of it comes after the last table and figure, so that a change here reruns no other job.
"""


rule provenance:
    input:
        # When these exist, everything that is timed has run.
        artefacts=artefacts.paper(),
        models=expand(built("backbones/{b}"), b=study.ranking_models),
        leakage=built("leakage.json") if study.detected_on else [],
        collections=expand(
            built("collections/{c}/{f}"),
            c=collections.used,
            f=["queries.jsonl", "qrels.trec", "candidates.trec", "passages.jsonl"],
        ),
    output:
        provenance=report(
            built("provenance.json"),
            caption="../report/provenance.rst",
            category="Provenance",
            labels={"file": "provenance"},
        ),
    log:
        logged("provenance.log"),
    benchmark:
        built("benchmarks/provenance.tsv")
    conda:
        "../../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
        gpu=0,
    params:
        library=library("provenance"),
        configuration=config,
        models=study.ranking_models,
        skip=["provenance", "sidecars", "manifest", "summary"],
    script:
        "../scripts/provenance.py"


rule sidecars:
    input:
        provenance=built("provenance.json"),
        runs=cells.all_runs(),
    output:
        [f"{run}.yaml" for run in cells.all_runs()],
    log:
        logged("sidecars.log"),
    benchmark:
        built("benchmarks/sidecars.tsv")
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        library=library("sidecars", loads=modules_of_metrics(METRICS)),
    script:
        "../scripts/sidecars.py"


rule manifest:
    input:
        # Everything else, so that nothing changes after it was written.
        artefacts=artefacts.paper(),
        provenance=built("provenance.json"),
        runs=cells.all_runs(),
        sidecars=[f"{run}.yaml" for run in cells.all_runs()],
    output:
        manifest=report(
            built("manifest.sha256"),
            caption="../report/provenance.rst",
            category="Provenance",
            labels={"file": "manifest"},
        ),
    log:
        logged("manifest.log"),
    benchmark:
        built("benchmarks/manifest.tsv")
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
        gpu=0,
    params:
        library=library("manifest"),
    script:
        "../scripts/manifest.py"
