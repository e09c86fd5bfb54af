rule table:
    input:
        unpack(table_frames),
        library=library("table"),
    output:
        csv=report(
            "results/{study}/tables/{table}.csv",
            caption="../report/tables.rst",
            category="Tables",
            labels={"table": "{table}"},
        ),
        tex="results/{study}/tables/{table}.tex",
        md="results/{study}/tables/{table}.md",
    log:
        "logs/{study}/table/{table}.log",
    benchmark:
        "results/{study}/benchmarks/table/{table}.tsv"
    wildcard_constraints:
        table=one_of(TABLES),
    localrule: True
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        options=table_options,
    script:
        "../scripts/table.py"


rule figure:
    input:
        unpack(figure_frames),
        library=library("figure"),
    output:
        pdf="results/{study}/figures/{figure}.pdf",
        png=report(
            "results/{study}/figures/{figure}.png",
            caption="../report/figures.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
    log:
        "logs/{study}/figure/{figure}.log",
    benchmark:
        "results/{study}/benchmarks/figure/{figure}.tsv"
    wildcard_constraints:
        figure=one_of(FIGURES),
    localrule: True
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        options=figure_options,
    script:
        "../scripts/figure.py"
