"""`twingrad read`: the pairs are aligned with the code that runs, and PyTorch does what its column says."""

from __future__ import annotations

import ast
import gc
import inspect
import json
import re
import sys
from collections.abc import Callable
from dataclasses import fields
from importlib import import_module
from io import StringIO
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import Tensor

from numpy_impl import functional as by_hand
from reference.cases import ACTIVATIONS, SGD, Case, Drawn, EmbeddingBag
from reference.catalogue import OPTIONS, catalogue
from reference.commands.cli import main
from reference.data.dialogue import DIALOGUE_IDS, DIALOGUE_LABELS
from reference.errors import BadInput
from reference.read import align, numbers, page, terminal
from reference.read.align import PAIRS, Misaligned, Part, read_pair, text_of
from reference.read.evidence import FILES
from tests.tools.evidence import ENVIRONMENT, EVIDENCE, HOSTILE
from torch_impl import functional
from torch_impl.trainer import as_tensor, build

PARTS = [(name, part) for name in PAIRS for part in read_pair(name).parts]
CASES = {case.id: case for case in catalogue()}

# --- the code that is shown ------------------------------------------------------------------------------------------

ROOT = Path(__file__).parents[2]
NOT_SHOWN = {
    "trainer": "where a model meets the contract",
    "arithmetic": "the numbers of the exact form",
    "__init__": "",
}


def functions(file: Path) -> set[str]:
    """The functions and methods of a module, but for initialisers that do nothing and what only raises."""
    found = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        prefix = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        for member in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(member, ast.FunctionDef) and not does_nothing(member):
                room = "reference.exact/" if file.parent.name == "exact" else f"{file.parent.name}."
                found.add(f"{room}{file.stem}.{prefix}{member.name}")
    return found


def does_nothing(function: ast.FunctionDef) -> bool:
    """It only passes, raises, or keeps the names that it was given."""
    last = function.body[-1]
    keeps = isinstance(last, ast.Assign) and function.name == "__init__" and isinstance(last.value, ast.Tuple)
    plain = keeps and len(function.body) == 1 and all(isinstance(part, ast.Name) for part in last.value.elts)
    return isinstance(last, ast.Pass | ast.Raise) or plain


def test_everything_that_is_paired_is_shown() -> None:
    files = [file for room in ("reference/exact", "numpy_impl", "torch_impl") for file in (ROOT / room).glob("*.py")]
    written = set().union(*(functions(file) for file in files if file.stem not in NOT_SHOWN))
    shown = {name for _, part in PARTS for name in part.shown}
    assert not written - shown
    assert {"reference.exact/linear.loss", "numpy_impl.linear.linear", "torch_impl.linear.Linear.forward"} <= written
    kernels = {name for name in shown - written if ".kernels/" in name}
    assert kernels == shown - written
    assert {name for name in kernels if ".plain_" not in name} == {"numpy_impl.kernels/updates.place"}


@pytest.mark.parametrize("pair", PAIRS)
def test_each_line_of_what_is_shown_is_in_one_row_and_is_the_line_of_the_module(pair: str) -> None:
    for part in read_pair(pair).parts:
        pieces = [piece for row in part.rows for piece in (*row.exact, *row.numpy, *row.torch)]
        shown = sorted((piece.file, line.strip()) for piece in pieces for line in piece.code.splitlines())
        assert shown == sorted(line for name in part.shown for line in lines_of(name))


def lines_of(name: str) -> list[tuple[str, str]]:
    """The lines of a function, without docstrings and empty ones: as `inspect` finds it, not as `align` does."""
    package, module, *path = name.split(".")  # package and module: reference, exact/linear
    found: Any = import_module(f"{package}.{module.replace('/', '.')}")
    for step in path:
        found = getattr(found, step)
    lines = inspect.getsource(inspect.unwrap(found)).splitlines()
    file, kept, inside = f"{package}/{module}.py", [], False
    for line in lines:
        quotes = line.count('"""')
        if not (inside or quotes) and line.strip():
            kept.append((file, line.strip()))
        inside ^= quotes == 1
    return kept


BROKEN = [
    # pair, module, what changes in it, what the message names
    (
        "softmax",
        "numpy_impl.objectives",
        ("d = d_loss()\n        return d @", 'd = "d = d_loss()"; return d @'),
        "which pairs/softmax.toml",
    ),
    ("classifier", "numpy_impl.classifier", ("d = d_loss()", "d = loss_backward()"), "row 'Back through the loss'"),
    (
        "classifier",
        "torch_impl.classifier",
        ("model, activation = ", "extra = 1\n        model, activation = "),
        "line",
    ),
    ("sgd", "numpy_impl.optimizers", ("class SGD(", "class Descent("), "has no SGD"),
    (
        "softmax",
        "reference.exact/objectives",
        ("logits = m.products", "z = m.products"),
        "row 'Score every word': exact",
    ),
    (
        "skip-gram",
        "reference.exact/skipgram",
        ("    hidden = ", "    extra = 1\n    hidden = "),
        "reference/exact/skipgram.py, line 15, is in no row: 'extra = 1'",
    ),
    (
        "softmax",
        "numpy_impl.objectives",
        ("return d @ table, product(d.T, hidden)", "return d"),
        "row 'Back through the product'",
    ),
]


@pytest.mark.parametrize(("pair", "module", "change", "named"), BROKEN)
def test_a_pair_that_lost_its_alignment_says_which_row(pair: str, module: str, change: tuple, named: str) -> None:
    def changed(name: str) -> str:
        assert change[0] in text_of(module)
        return text_of(name).replace(*change) if name == module else text_of(name)

    with pytest.raises(Misaligned, match=named):
        read_pair(pair, changed)


@pytest.mark.parametrize("column", ["exact", "torch"])
def test_a_row_of_the_backward_pass_has_lines_of_numpy_alone(column: str, tmp_path: Path, monkeypatch) -> None:
    page = """
        title = "Adds"
        group = "Layers"
        summary = "Adds."
        text = ""
        [[parts]]
        title = "The sum"
        COLUMN = ["sums.add"]
        [[parts.rows]]
        title = "Back"
        COLUMN = ["def add(…"]
        autograd = ["AddBackward0"]
    """
    (tmp_path / "sums.toml").write_text(page.replace("COLUMN", column), encoding="utf-8")
    monkeypatch.setattr(align, "FOLDER", tmp_path)
    with pytest.raises(Misaligned, match=r"pairs/sums.toml, The sum, row 'Back': goes back"):
        read_pair("sums", lambda _: "def add(x, y):\n    return x + y\n")
    (tmp_path / "sums.toml").write_text(page.replace("COLUMN", "numpy"), encoding="utf-8")
    (row,) = read_pair("sums", lambda _: "def add(x, y):\n    return x + y\n").parts[0].rows
    assert row.numpy[0].code == "def add(x, y):\n    return x + y"


# --- what autograd runs ----------------------------------------------------------------------------------------------


def executed(loss: Tensor) -> list[str]:
    """The nodes that autograd runs, in the order in which it runs them."""
    ran: list[str] = []
    seen, left = set(), [loss.grad_fn]
    while left:
        node = left.pop()
        if node is not None and node not in seen:
            seen.add(node)
            name = type(node).__name__
            node.register_hook(lambda *_, name=name: ran.append(name))
            left += [after for after, _ in node.next_functions]
    loss.backward()
    return ran


def of_case(case: Case) -> Tensor:
    batch = next(case.batches())
    tensors = type(batch)(*(as_tensor(getattr(batch, field.name)) for field in fields(batch)))
    for name in case.model.input_gradients:
        getattr(tensors, name).requires_grad_()
    return build(case, case.weights()).model(tensors)


def drawn_bag(**options: Any) -> Case:
    return Case("read", EmbeddingBag(10, 5, **options), SGD(), Drawn((4, 3)))


X, LABELS = torch.linspace(-2, 2, 12).reshape(4, 3), torch.tensor([0, 2, 1, 2])
SINGLE: dict[str, Callable[[Tensor], Tensor]] = {
    **{name: getattr(functional, name) for name in (*ACTIVATIONS, "log_sigmoid")},
    "dropout": lambda x: functional.dropout(x, X > 0, 0.5),
    "cross_entropy": lambda x: functional.cross_entropy(x, LABELS),
    "cross_entropy-options": lambda x: functional.cross_entropy(x, LABELS, torch.tensor([1.0, 2, 3]), ignore_index=1),
    "mse_loss": lambda x: functional.mse_loss(x, X * X),
}


def live(name: str) -> list[str]:
    """What autograd runs for a part: a case of the catalogue, a bag, or one function, whose input is no parameter."""
    if name in SINGLE:
        x = X.clone().requires_grad_()
        output = SINGLE[name](x)
        ran = executed(output if output.ndim == 0 else output.sum())
        return [node for node in ran if node not in ("AccumulateGrad", "SumBackward0")]
    if name.startswith("EmbeddingBag"):
        return executed(of_case(drawn_bag(mode="sum", weighted=True) if "weighted" in name else drawn_bag()))
    return executed(of_case(CASES[name]))


BACKWARD = [(pair, part) for pair, part in PARTS if any(row.autograd for row in part.rows)]


@pytest.mark.parametrize(("pair", "part"), BACKWARD, ids=[f"{pair}-{part.live}" for pair, part in BACKWARD])
def test_the_grad_fn_are_those_that_autograd_runs_in_this_order(pair: str, part: Part) -> None:
    assert [node for row in part.rows for node in row.autograd] == live(part.live)


# --- what torch.optim does -------------------------------------------------------------------------------------------

UPDATES = [(pair, part) for pair, part in PARTS if any(row.ops for row in part.rows)]


def test_every_optimizer_says_what_torch_does() -> None:
    assert {part.live for _, part in UPDATES} == {kind.__name__ for kind in OPTIONS}


@pytest.mark.parametrize(("pair", "part"), UPDATES, ids=[pair for pair, _ in UPDATES])
def test_the_lines_of_an_optimizer_do_what_torch_does_bit_for_bit(pair: str, part: Part) -> None:
    kind = next(kind for kind in OPTIONS if kind.__name__ == part.live)
    lines = compile("\n".join(row.ops for row in part.rows if row.ops), pair, "exec")
    for values in product(*OPTIONS[kind].values()):
        options = dict(zip(OPTIONS[kind], values, strict=True))
        if options.get("nesterov") and (options["dampening"] or not options["momentum"]):
            continue
        sparse = part.live == "SparseAdam"
        generator = torch.Generator().manual_seed(1)
        theirs = torch.randn(7, 3, generator=generator, dtype=torch.float64).requires_grad_()
        ours, state = theirs.detach().clone(), {name: torch.zeros(7, 3, dtype=torch.float64) for name in STATE}
        state["sum"] += options.get("initial_accumulator_value", 0)
        optimizer = getattr(torch.optim, part.live)([theirs], **options)
        beta1, beta2 = options.pop("betas", (0, 0))
        for step in (1, 2, 3):
            values = torch.randn(7, 3, generator=generator, dtype=torch.float64)
            rows = torch.tensor([0, 2, 5])
            theirs.grad = torch.sparse_coo_tensor(rows[None], values[rows], (7, 3)) if sparse else values.clone()
            with torch.sparse.check_sparse_tensor_invariants(enable=False):
                optimizer.step()
            given = {"param": ours, "grad": values.clone(), "rows": rows, "values": values[rows], "step": step}
            names = state | given | options | {"beta1": beta1, "beta2": beta2, "torch": torch}
            exec(lines, names)
            assert torch.equal(ours, theirs.detach()), options


STATE = ("momentum_buffer", "sum", "square_avg", "grad_avg", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")


@pytest.mark.parametrize("own", sorted({row.own for _, part in PARTS for row in part.rows if row.own}))
def test_what_is_pytorchs_own_is_what_the_twin_takes(own: str) -> None:
    found: Any = torch
    for step in own.split(".")[1:]:
        found = getattr(found, step)
    if own.startswith(("torch.nn.functional", "torch.tanh", "torch.sigmoid")):
        taken = {"logsigmoid": "log_sigmoid"}.get(found.__name__, found.__name__)
        assert getattr(functional, taken) is found
        assert hasattr(by_hand, taken)


# --- in the terminal -------------------------------------------------------------------------------------------------


def test_a_pair_in_the_terminal_has_both_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", "classifier"]) == 0
    printed = capsys.readouterr().out
    (row,) = [row for row in printed.split("The last layer")[1:] if "logits, d_logits" in row]
    assert re.search(r"^\W*last = model.layers\[-1\] +\W logits = self.get_submodule\(", row, re.MULTILINE)
    assert "AddmmBackward0" in printed


def printed(pair: str, width: int) -> list[str]:
    console = Console(width=width, file=StringIO())
    terminal.show([read_pair(pair)], console)
    return console.file.getvalue().splitlines()


def test_the_exact_form_stands_above_the_others_or_in_a_wide_terminal_beside_them() -> None:
    lines = printed("classifier", 280)
    assert [line for line in lines if re.search(r"Exact, in scalars.*NumPy, by hand.*PyTorch", line)]
    beside = r"last = model.layers\[-1\] +│ last = model.layers\[-1\] +│ logits = self.get_submodule\("
    assert [line for line in lines if re.search(beside, line)]
    lines = printed("classifier", terminal.THREE_COLUMNS - 1)
    (exact,) = (at for at, line in enumerate(lines) if "logits = linear(m, active" in line)
    (numpy,) = (at for at, line in enumerate(lines) if "logits, d_logits = linear(" in line)
    assert exact < numpy
    assert not any("Exact, in scalars" in line for line in lines)


@pytest.mark.parametrize(
    ("given", "found"),
    [("adam", ["adam"]), ("skipgram", ["skip-gram"]), ("negative_sampling", ["negative-sampling"]), ("ada", 4)],
)
def test_a_name_finds_its_pair(given: str, found: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", given, "--list"]) == 0
    names = capsys.readouterr().out.split()
    assert (len(names) if isinstance(found, int) else names) == found


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "no pair is called 'nothing'; there are embedding, "),
        (["adam", "--html", "somewhere"], "--html writes all pairs; leave 'adam' out"),
    ],
)
def test_wrong_input_is_one_line(arguments: list[str], said: str, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["read", *arguments]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_symbols_are_names_of_the_code() -> None:
    for name in PAIRS:
        pair = read_pair(name)
        code = "\n".join(
            p.code for part in pair.parts for row in part.rows for p in (*row.exact, *row.numpy, *row.torch)
        )
        code += "\n".join(row.ops for part in pair.parts for row in part.rows)
        for symbol in pair.symbols.values():
            assert not symbol["code"] or any(word in code for word in symbol["code"]), f"{name}: {symbol['is']}"


# --- the numbers -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    return numbers.stories()


def three_digits(expected: np.ndarray, told: Any) -> None:
    np.testing.assert_allclose(np.array(told, float), expected, rtol=6e-3, atol=1e-12)


def test_the_numbers_of_the_bags_are_those_of_the_formulas(told: dict) -> None:
    p = numbers.BAGS.weights()
    ids, labels, lr = DIALOGUE_IDS, DIALOGUE_LABELS, numbers.BAGS.optimizer.lr
    for step in told["bags"]["runs"][0]["steps"]:
        table = p["embedding.weight"]
        pooled = np.array([(table[a] + table[b] + table[c]) / 3 for a, b, c in ids])
        hidden = pooled @ p["fc1.weight"].T + p["fc1.bias"]
        active = np.where(hidden > 0, hidden, 0)
        logits = active @ p["fc2.weight"].T + p["fc2.bias"]
        chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        d_logits = (chances - np.eye(2)[labels]) / 4
        d_active = d_logits @ p["fc2.weight"]
        d_hidden = d_active * (hidden > 0)
        d_pooled = d_hidden @ p["fc1.weight"]
        d_table = np.full_like(table, np.nan)
        d_table[1:] = 0
        for bag, some in enumerate(ids):
            for row in some:
                d_table[row] += d_pooled[bag] / 3
        known = locals()
        for name in ("table", "pooled", "hidden", "active", "logits", "d_logits", "d_active", "d_hidden", "d_pooled"):
            three_digits(known[name], step[name])
        three_digits(d_table, [[np.nan if x is None else x for x in row] for row in step["d_table"]])
        three_digits(-np.log(chances[range(4), labels]).mean(), step["loss"][0][0])
        assert [(of["row"], len(of["parts"]), of["same"]) for of in step["sums"]] == [(r, 2, True) for r in "159"]
        p["embedding.weight"] = table - lr * np.nan_to_num(d_table)
        p["fc1.weight"] = p["fc1.weight"] - lr * d_hidden.T @ pooled
        p["fc2.weight"] = p["fc2.weight"] - lr * d_logits.T @ active
        p["fc1.bias"], p["fc2.bias"] = p["fc1.bias"] - lr * d_hidden.sum(0), p["fc2.bias"] - lr * d_logits.sum(0)
    assert told["bags"]["counts"] == [0, 2, 1, 1, 1, 2, 1, 1, 1, 2]


def test_the_numbers_of_the_words_are_those_of_the_formulas(told: dict) -> None:
    story = told["words"]
    index = {word: at for at, word in enumerate(story["words"])}
    assert story["pairs"][:2] == [[["the", "cat"]], [["cat", "the"], ["cat", "sat"]]]
    for step, pairs in zip(story["runs"][0]["steps"], story["pairs"], strict=True):
        center, contexts = index[pairs[0][0]], [index[context] for _, context in pairs]
        hidden, context = np.array(step["table"])[center], np.array(step["context"])
        logits = context @ hidden
        pushed = sum(np.exp(logits) / np.exp(logits).sum() - np.eye(len(index))[at] for at in contexts)
        np.testing.assert_allclose(step["logits"][0], logits, atol=0.02)
        np.testing.assert_allclose(np.sum(step["d_logits"], axis=0), pushed, atol=0.02)
        np.testing.assert_allclose(step["d_table"][center], pushed @ context, atol=0.05)
        np.testing.assert_allclose(step["d_context"], np.outer(pushed, hidden), atol=0.05)
        assert [at for at, row in enumerate(step["d_table"]) if row[0] is not None] == [center]


@pytest.mark.parametrize(
    ("story", "mistake", "step", "array"),
    [
        ("bags", "duplicates-overwritten", 1, "d_table"),
        ("bags", "mean-undivided", 1, "d_table"),
        ("bags", "not-scattered", 1, "d_table"),
        ("bags", "logits-for-probabilities", 1, "d_logits"),
        ("bags", "sign-turned", 1, "d_logits"),
        ("words", "duplicates-overwritten", 2, "d_table"),  # the second word is the first with two neighbours
        ("words", "one-context-subtracted", 2, "d_hidden"),
        ("words", "logits-for-probabilities", 1, "d_logits"),
        ("words", "sign-turned", 1, "d_logits"),
    ],
)
def test_a_planted_mistake_departs_where_it_is_made(
    story: str, mistake: str, step: int, array: str, told: dict
) -> None:
    run = next(run for run in told[story]["runs"] if run["name"] == mistake)
    assert (run["departs"]["step"], run["departs"]["array"]) == (step, array)
    if array == "d_table" and story == "bags":
        assert not all(of["same"] for of in run["steps"][0]["sums"])


def test_the_numbers_are_the_same_while_garbage_is_collected(told: dict) -> None:
    """Whoever listens to the collector is called wherever the model happens to be."""
    phases = []

    def listen(phase: str, info: dict) -> None:
        phases.append(phase)

    threshold = gc.get_threshold()
    gc.callbacks.append(listen)
    gc.set_threshold(20)
    try:
        assert numbers.stories() == told
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(listen)
    assert phases


# --- the pages -------------------------------------------------------------------------------------------------------


def made(tmp_path: Path, *arguments: str, **found: Any) -> Path:
    build = tmp_path / "build"
    for kind, content in found.items():
        (build / FILES[kind]).parent.mkdir(parents=True, exist_ok=True)
        (build / FILES[kind]).write_text(json.dumps(content), encoding="utf-8")
    assert main(["read", "--html", str(tmp_path / "read"), "--build", str(build), *arguments]) == 0
    return tmp_path / "read"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages with evidence and a text that have HTML in them."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "text.txt").write_text(HOSTILE, encoding="utf-8")
    return made(folder, "--text", str(folder / "text.txt"), **EVIDENCE)


def test_the_pages_have_the_evidence_and_all_of_it_is_escaped(hostile: Path) -> None:
    page = (hostile / "evidence.html").read_text(encoding="utf-8")
    for markup in ("<script>,", "<i>", "<u>", "<em>", "<S>", "<b>2</b>"):
        assert markup not in page
    for shown in (
        "&lt;i&gt;[1, 2]: expected 0.5, got nan",
        "&lt;em&gt;",
        "a &amp; b",
        "2.00",
        "7.5",
        "1 of 9",
        "inf ✗",
    ):
        assert shown in page, shown
    assert page.count("2 January 2026, 03:04 UTC") == 3
    assert "1 cases are not in the catalogue" in page


def test_what_is_missing_is_shown_with_the_command_that_makes_it(tmp_path: Path) -> None:
    page = (made(tmp_path) / "evidence.html").read_text(encoding="utf-8")
    for command in ("make verify", "make bench", "twingrad mistakes --json build/mistakes.json"):
        assert f"<code>{command}\nmake read</code>" in page


@pytest.mark.parametrize("kind", ["verify", "mistakes", "bench"])
@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"\xff\xfe", b"[]", b"3", b"null", b"{}", b"[" * 100_000),
        b'{"results": [{}], "mistakes": [3], "benchmarks": [[]]}',
        b'{"results": 1, "mistakes": 1, "benchmarks": 1}',
        b'{"results": [], "mistakes": [], "benchmarks": [], "environment": {}}',
    ],
    ids=range(11),
)
def test_json_of_another_form_is_one_clear_line(kind: str, content: bytes, tmp_path: Path, capsys) -> None:
    file = tmp_path / FILES[kind]
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    assert main(["read", "--html", str(tmp_path / "read"), "--build", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"twingrad: {file}: ")
    assert "writes it anew" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "read").exists()


def test_the_beginning_of_a_text(tmp_path: Path) -> None:
    """Words and paragraphs are those that the models learn; a giant word is cut."""
    file = tmp_path / "text.txt"
    file.write_text(f"lone\u2029re\u0301sume\u0301 two\r\rthree {'four' * 20}", encoding="utf-8", newline="")
    assert numbers.beginning(str(file)) == f"re\u0301sume\u0301 two\n\nthree {'four' * 20}"
    assert set(numbers.stories(str(file))["words"]["words"]) == {"résumé", "two", "three", ("four" * 20)[:39] + "…"}


def test_a_text_with_a_script_in_it_stays_text(hostile: Path) -> None:
    page = (hostile / "numbers.html").read_text(encoding="utf-8")
    assert page.count("alert(") == 2  # as prose, and in the JSON
    assert "One &lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt; two &amp; &lt;b&gt;three" in page
    assert 'One \\u003cscript\\u003ealert(\\"x\\")' in page
    assert page.count("</script>") == page.count("<script")


def test_a_time_of_zero_is_one_clear_line(tmp_path: Path, capsys) -> None:
    zero = {"group": "bag S", "extra_info": {"medians": {"numpy": 0.0, "Bag": 1.0}, "timed": "Bag"}}
    bench = {"benchmarks": [zero], "machine_info": {"twingrad": ENVIRONMENT}}
    file = tmp_path / FILES["bench"]
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(bench), encoding="utf-8")
    assert main(["read", "--html", str(tmp_path / "read"), "--build", str(tmp_path)]) == 2
    assert "is not of the form that `make bench` writes (ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "one", "one one one", "one\n\ntwo"])
def test_a_text_that_is_none_is_one_line(content: str, tmp_path: Path, monkeypatch, capsys) -> None:
    (tmp_path / "text.txt").write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)  # where there is no evidence
    assert main(["read", "--html", str(tmp_path / "read"), "--text", str(tmp_path / "text.txt")]) == 2
    assert capsys.readouterr().err.startswith(f"twingrad: --text {tmp_path / 'text.txt'}: ")
    assert list(tmp_path.iterdir()) == [tmp_path / "text.txt"]


def test_new_pages_replace_the_old_ones_and_nothing_else(tmp_path: Path, monkeypatch) -> None:
    folder, content = tmp_path / "read", {"index.html": page.MARK}
    page.write(folder, content | {"old.html": "of before"}, [])
    with monkeypatch.context() as full:
        full.setattr(page.shutil, "copyfile", Mock(side_effect=OSError(28, "No space left on device")))
        with pytest.raises(BadInput, match="No space left on device"):
            page.write(folder, content, [])
    with monkeypatch.context() as stubborn:
        rename = Path.rename
        refuse = Mock(side_effect=OSError(13, "Permission denied"))
        stubborn.setattr(Path, "rename", lambda old, new: (refuse if old.name == "new" else rename)(old, new))
        with pytest.raises(BadInput, match="Permission denied"):
            page.write(folder, content, [])
    assert (folder / "old.html").exists()
    page.write(folder, content, [])
    assert sorted(file.name for file in folder.iterdir()) == ["index.html", "script.js", "style.css"]
    assert list(tmp_path.iterdir()) == [folder]


def test_without_the_extra_the_command_says_what_is_needed(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.delitem(sys.modules, "reference.read.page")
    monkeypatch.delattr("reference.read.page")
    monkeypatch.setitem(sys.modules, "latex2mathml.converter", None)
    assert main(["read", "--html", str(tmp_path / "read")]) == 2
    assert "--html needs latex2mathml; pip install 'twingrad[read]' installs it" in capsys.readouterr().err
    assert main(["read", "adamw"]) == 0


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, capsys) -> None:
    (tmp_path / "index.html").write_text("<title>mine</title>", encoding="utf-8")
    assert main(["read", "--html", str(tmp_path)]) == 2
    assert "is there and is no folder of such pages" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["index.html"]


# --- colours ---------------------------------------------------------------------------------------------------------


def themes() -> list[dict[str, str]]:
    """The colours of each block of the style sheet that says them: light, dark as chosen, dark as the system has it."""
    blocks = re.findall(r"\{([^{}]*--paper:[^{}]*)\}", (ROOT / "reference/read/style.css").read_text(encoding="utf-8"))
    return [dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in blocks]


def contrast(one: str, other: str) -> float:
    """The contrast ratio of https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio, from 1 to 21."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def test_text_is_legible_in_both_themes() -> None:
    light, chosen, dark = themes()
    assert chosen == dark
    texts = ("ink", "soft", "link", "keyword", "string", "number", "comment", "name", "wrong", "right")
    for theme in (light, dark):
        pairs = [(text, ground) for text in texts for ground in ("paper", "raised")]
        pairs += [("mark-ink", "mark"), ("ink", "plus"), ("ink", "minus")]  # cells lie between paper and these
        for text, ground in pairs:
            assert contrast(theme[text], theme[ground]) >= 4.5, (text, ground)
