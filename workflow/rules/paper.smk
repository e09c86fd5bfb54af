rule table:
    input:
        unpack(lambda wildcards: artefacts.frames(TABLES[wildcards.table].frames)),
        leakage=lambda wildcards: artefacts.leakage(TABLES[wildcards.table]),
    output:
        csv=report(
            built("tables/{table}.csv"),
            caption="../report/tables.rst",
            category="Tables",
            labels={"table": "{table}", "as": "numbers with all digits"},
        ),
        tex=built("tables/{table}.tex"),
        md=built("tables/{table}.md"),
    log:
        logged("table/{table}.log"),
    benchmark:
        built("benchmarks/table/{table}.tsv")
    wildcard_constraints:
        table=one_of(artefacts.possible(TABLES)),
    localrule: True
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        library=lambda wildcards: library("table", loads=[TABLES[wildcards.table].module]),
        module=lambda wildcards: TABLES[wildcards.table].module,
        caption=lambda wildcards: TABLES[wildcards.table].caption,
        options=lambda wildcards: artefacts.options(TABLES[wildcards.table]),
    script:
        "../scripts/table.py"


rule figure:
    input:
        unpack(lambda wildcards: artefacts.frames(FIGURES[wildcards.figure].frames)),
    output:
        pdf=built("figures/{figure}.pdf"),
        png=report(
            built("figures/{figure}.png"),
            caption="../report/figures.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
    log:
        logged("figure/{figure}.log"),
    benchmark:
        built("benchmarks/figure/{figure}.tsv")
    wildcard_constraints:
        figure=one_of(artefacts.possible(FIGURES)),
    localrule: True
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        library=lambda wildcards: library("figure", loads=[FIGURES[wildcards.figure].module]),
        module=lambda wildcards: FIGURES[wildcards.figure].module,
        caption=lambda wildcards: FIGURES[wildcards.figure].caption,
        options=lambda wildcards: artefacts.options(FIGURES[wildcards.figure]),
    script:
        "../scripts/figure.py"
