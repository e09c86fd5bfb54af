"""No file that is read can run code: the library's source and the scripts of the rules, call by call."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
FILES = [
    *sorted((REPOSITORY / "src").rglob("*.py")),
    *sorted((REPOSITORY / "workflow").rglob("*.py")),
    *sorted((REPOSITORY / "docs").rglob("*.py")),
]
# They make objects, and so run code, when they read a file.
PICKLES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
# Whatever they are called on.
UNSAFE = {"read_pickle", "to_pickle", "unsafe_load", "full_load", "load_state_dict_from_url", "popen"}
# As functions of their own: others have methods of these names.
BUILTIN = {"eval", "exec", "compile", "__import__"}


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    """(where, name, call): of ``a.b(c)`` the name is ``b``."""
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                yield f"{file.relative_to(REPOSITORY)}:{node.lineno}", name, node


def owner(call: ast.Call) -> str:
    """Of ``a.b(c)``: a."""
    return ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""


def given(call: ast.Call, name: str) -> str | None:
    """A keyword argument as it is written."""
    return next((ast.unparse(word.value) for word in call.keywords if word.arg == name), None)


def test_the_source_is_found() -> None:
    assert len(FILES) > 250
    assert sum(name == "from_pretrained" for _, name, _ in calls()) >= 5


def test_nothing_is_pickled_or_unpickled() -> None:
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not PICKLES & {name.split(".")[0] for name in names}, f"{file}:{node}"
    for where, name, call in calls():
        assert not (name in ("load", "save") and owner(call) == "torch"), where
        # numpy's own default refuses pickles; nothing may ask for them.
        assert given(call, "allow_pickle") in (None, "False"), where
        assert given(call, "weights_only") in (None, "True"), where


def test_no_text_is_run_as_code() -> None:
    for where, name, call in calls():
        assert name not in UNSAFE, where
        assert not (name in BUILTIN and not owner(call)), where
        assert not (name == "system" and owner(call) == "os"), where
        assert not (name == "load" and owner(call) == "yaml" and "Safe" not in ast.unparse(call)), where
        assert given(call, "shell") in (None, "False"), where


def test_code_of_a_model_s_repository_is_never_trusted() -> None:
    for where, name, call in calls():
        # peft reads LoRA layers, which have no code; and a folder with one GGUF file, just written, has none either.
        alone = owner(call) == "PeftModel" or "**named" in ast.unparse(call)
        if name == "from_pretrained" and not alone:
            assert given(call, "trust_remote_code") == "False", where
            if owner(call) in ("AutoModel", "AutoModelForCausalLM"):
                assert given(call, "use_safetensors") == "True", where
        assert given(call, "trust_remote_code") in (None, "False"), where


def test_nothing_is_addressed_without_encryption() -> None:
    for file in FILES:
        assert "http://" not in file.read_text(encoding="utf-8"), file
