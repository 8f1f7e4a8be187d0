# What a contributor types. Each target works in the active virtual environment, except `lowest`, which makes its own.
.PHONY: help check test lowest bench
LOWEST ?= .venv-lowest

help:
	@echo "make check    style, types and import layers (needs: pip install -e '.[test,dev]')"
	@echo "make test     all tests (needs: pip install -e '.[test]')"
	@echo "make lowest   all tests on the lowest supported versions, in $(LOWEST)"
	@echo "make bench    how to compare with XGBoost, LightGBM and CatBoost"

check:
	ruff check .
	ruff format --check .
	mypy
	pytest -q tests/test_layers.py

test:
	pytest

lowest:
	python3 -m venv --clear $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet '.[test]' --constraint constraints/lowest.txt
	$(LOWEST)/bin/pytest

bench:
	@echo "pip install '.[bench]', then one of:"
	@grep -l __main__ bench/*.py | sed 's/.*/  python & --help/'
