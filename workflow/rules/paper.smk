rule table:
    input:
        unpack(table_frames),
        library=library("table"),
    output:
        csv=report(
            RESULTS + "tables/{table}.csv",
            caption="../report/tables.rst",
            category="Tables",
            labels={"table": "{table}"},
        ),
        tex=RESULTS + "tables/{table}.tex",
        md=RESULTS + "tables/{table}.md",
    log:
        LOGS + "table/{table}.log",
    benchmark:
        RESULTS + "benchmarks/table/{table}.tsv"
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
        pdf=RESULTS + "figures/{figure}.pdf",
        png=report(
            RESULTS + "figures/{figure}.png",
            caption="../report/figures.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
    log:
        LOGS + "figure/{figure}.log",
    benchmark:
        RESULTS + "benchmarks/figure/{figure}.tsv"
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
