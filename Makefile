# make demo   sets everything up, indexes a real short video offline, searches it, draws the moments
# make test   sets everything up and runs the suite
# make lint   formatting, lints and types
# make docs   the API reference, made from the docstrings, in build/api
# DEMO=~/Videos make demo    the same with your own videos

PYTHON ?= python3
VENV ?= .venv
OUT := demo/out
SCENES := ../shared/data/videos/scenes
DEMO ?= $(wildcard $(SCENES))
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check -q

.PHONY: demo test lint docs clean

demo: $(VENV)/demo
	@VENV=$(VENV) OUT=$(OUT) DEMO="$(DEMO)" sh demo/run.sh

test: $(VENV)/dev
	$(VENV)/bin/python -m pytest -rs -n 2 --dist loadfile

lint: $(VENV)/dev
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

docs: $(VENV)/dev
	$(VENV)/bin/python docs/build_api.py build/api

$(VENV)/demo $(VENV)/dev: $(VENV)/%: pyproject.toml | $(VENV)/bin/python
	$(PIP) install -e ".[$*]"
	@touch $@

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) $(OUT)
