"""Compare the queries that heads are chosen or trained on with the test queries, before anything learns from them."""

import logging
from pathlib import Path

from headrank.data.beir import read_queries
from headrank.data.leakage import check_leaks, find_leaks, write_leaks
from headrank.jobs.job import job


def main(pools, tests, action, output):
    asked = {
        name: {c: read_queries(Path(path)) for c, path in paths.items()} for name, paths in pools.items()
    }
    leaks = find_leaks(asked, {name: read_queries(Path(path)) for name, path in tests.items()})
    for leak in leaks:
        logging.warning("%s", leak)
    sizes = {pool: len(set().union(*queries.values())) for pool, queries in asked.items()}
    logging.info("queries %s: %d pairs with test queries, leakage: %s", sizes, len(leaks), action)
    check_leaks(leaks, sizes, action)
    write_leaks(output, leaks, action)


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(
            snakemake.params.pools,
            snakemake.params.tests,
            snakemake.params.action,
            snakemake.output.leakage,
        )
