"""Files and messages of ours are never such that opening them runs code: no pickle, whatever the way to it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

import pytest
from parsed_sources import MODULES, ROOT, tree

RUN_CODE = frozenset({
    "pickle", "_pickle", "cPickle", "pickletools", "cloudpickle", "dill", "joblib", "marshal", "shelve", "jsonpickle",
    "copyreg", "hickle", "skops",
})  # fmt: skip
"""Modules that read objects from bytes by running what the bytes say."""
READ_AND_WRITE = frozenset({
    "torch.load", "torch.save", "torch.serialization", "torch.jit.load", "torch.jit.save", "torch.package",
    "torch.hub", "multiprocessing.reduction", "builtins.eval", "builtins.exec", "builtins.compile",
    "builtins.__import__",
})  # fmt: skip
METHODS = frozenset({"read_pickle", "to_pickle"})
BUILT_IN = frozenset({"eval", "exec", "compile", "__import__"})


def names(nodes: Iterable[ast.AST]) -> dict[str, str]:
    """Return what each imported name of a file stands for."""
    found = {name: f"builtins.{name}" for name in BUILT_IN}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                found[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return found


def dotted(node: ast.AST, known: dict[str, str]) -> str:
    """Return the full name of an expression such as ``torch.jit.load``, ``getattr`` resolved; empty: it has none."""
    if isinstance(node, ast.Name):
        return known.get(node.id, "")
    if isinstance(node, ast.Attribute):
        before = dotted(node.value, known)
        return f"{before}.{node.attr}" if before else ""
    if isinstance(node, ast.Call):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called == "getattr" and len(node.args) > 1:
            before, name = dotted(node.args[0], known), constant(node.args[1])
            return f"{before}.{name}" if before and name else ""
        if called in ("import_module", "__import__") and node.args:
            return constant(node.args[0])
    return ""


def constant(node: ast.AST) -> str:
    """Return the text of a constant, also of several added or put together; empty: it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return constant(node.left) + constant(node.right)
    if isinstance(node, ast.JoinedStr):
        return "".join(constant(part.value if isinstance(part, ast.FormattedValue) else part) for part in node.values)
    return ""


def runs_code(name: str) -> bool:
    """Whether a full name is one of those, or inside one."""
    parts = name.split(".")
    above = {".".join(parts[:number]) for number in range(1, len(parts) + 1)}
    return bool(RUN_CODE & set(parts) or READ_AND_WRITE & above or METHODS & set(parts))


def unpickles_arrays(call: ast.Call, name: str) -> bool:
    """Whether numpy is asked to unpickle arrays of objects, or may be; by itself it refuses them."""
    told = [keyword.value for keyword in call.keywords if keyword.arg == "allow_pickle"]
    told += call.args[2:3] if name == "numpy.load" else []
    return any(not (isinstance(value, ast.Constant) and value.value is False) for value in told)


def names_module(text: str) -> bool:
    """Whether a text is the name of a module that runs code, such as ``distributed.protocol.pickle:dumps``."""
    parts = text.replace(":", ".").split(".")
    return bool(RUN_CODE & set(parts)) and all(part.isidentifier() for part in parts)


def guilty(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and name of everything in a file that pickles, unpickles, or loads what does."""
    nodes = list(ast.walk(module))
    known = names(nodes)
    for node in nodes:
        for name in told(node, known):
            if runs_code(name):
                yield getattr(node, "lineno", 0), name
        if isinstance(node, ast.Call) and unpickles_arrays(node, dotted(node.func, known)):
            yield node.lineno, "allow_pickle"


def told(node: ast.AST, known: dict[str, str]) -> Iterator[str]:
    """Yield the full names that a part of a file imports, uses or writes as text."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.level == 0:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Name | ast.Attribute | ast.Call):
        yield dotted(node, known)
        if isinstance(node, ast.Attribute) and node.attr in METHODS:
            yield node.attr
    elif isinstance(node, ast.Constant | ast.BinOp | ast.JoinedStr) and names_module(text := constant(node)):
        yield text.replace(":", ".")


def test_nothing_unpickles() -> None:
    found = [f"{path.relative_to(ROOT)}:{line} {name}" for path in MODULES for line, name in guilty(tree(path))]
    assert not found


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "import pickle as p", "from pickle import loads", "from distributed.protocol import pickle",
        "import distributed.protocol.pickle", "import joblib", "from cloudpickle import dumps as d", "import dill, os",
        "import marshal", "import shelve", "import torch\ntorch.load('a')", "import torch as t\nt.save(1, 'a')",
        "from torch import load", "from torch import load as read", "from torch.jit import load",
        "from torch.serialization import add_safe_globals", "import torch\nread = torch.load",
        "import torch\ngetattr(torch, 'load')('a')", "import torch\ngetattr(torch, 'lo' + 'ad')('a')",
        "from importlib import import_module\nimport_module('distributed.protocol.pickle')",
        "from importlib import import_module\nimport_module('pic' + 'kle')",
        "from importlib import import_module\nimport_module('torch').load('a')",
        "import importlib\nimportlib.import_module(name='joblib')", "__import__('dill')", "__import__(name)",
        "import sys\nsys.modules['pickle'].loads(b'')", "HOME = {'packed': 'distributed.protocol.pickle:dumps'}",
        "MODULE = f'{\"cloud\"}pickle'", "import distributed\ngetattr(distributed.protocol, 'pickle')",
        "import pandas\npandas.read_pickle('a')", "frame.to_pickle('a')",
        "import numpy as np\nnp.load('a', allow_pickle=True)", "import numpy as np\nnp.load('a', allow_pickle=flag)",
        "import numpy as np\nnp.load('a', None, True)", "eval('1')", "exec(text)",
        "import builtins\nbuiltins.exec(text)",
    ],
)  # fmt: skip
def test_every_way_to_it_is_found(source: str) -> None:
    assert list(guilty(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        '"""It can be pickled; a pickle runs any code."""', "import json\njson.load(file)", "model.eval()",
        "import numpy as np\nnp.load('a', allow_pickle=False)", "import torch\nstate = torch.nn.Linear(1, 1)",
        "from safetensors.torch import load_file, save_file", "import re\nre.compile('a')",
        "NAMES = {'.pkl': 'a pickle'}", "import numpy as np\nnp.load('a')",
        "from importlib import import_module\nimport_module('onnx').load('a')",
    ],
)  # fmt: skip
def test_what_is_no_pickle_is_let_pass(source: str) -> None:
    assert not list(guilty(ast.parse(source)))
