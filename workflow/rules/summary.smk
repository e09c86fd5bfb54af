"""The face of a finished study, which is no part of it: a change here reruns no other job (`make report`)."""


rule summary:
    input:
        csv=artefacts.shown("csv"),
        md=artefacts.shown("md"),
        png=artefacts.shown("png"),
        provenance=built("provenance.json"),
        manifest=built("manifest.sha256"),
    output:
        summary=report(
            built("summary.pdf"),
            caption="../report/summary.rst",
            category="Summary",
            labels={"file": "summary"},
        ),
        pages=[
            report(
                built(f"report/{name}.html"),
                caption="../report/sortable.rst",
                category="Tables",
                labels={"table": name, "as": "a page that sorts"},
            )
            for name in artefacts.names("csv")
        ],
    log:
        logged("summary.log"),
    benchmark:
        built("benchmarks/summary.tsv")
    localrule: True
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        library=library("summary"),
        title=f"HeadRank in one study: {config['name']}",
        about=artefacts.about,
        captions={name: one.caption for name, one in FIGURES.items()},
    script:
        "../scripts/summary.py"
