"""The compiled attention gives what SDPA gives, forwards and backwards, and is used where it should be."""

from __future__ import annotations

import os
import platform
import shutil
import signal
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from support import PLAIN, tiny_backbone, tiny_config, tiny_prompt, write_checkpoint
from torch.nn.functional import scaled_dot_product_attention as sdpa

from headrank.engine import tiles
from headrank.engine.backbone import load_backbone
from headrank.engine.forward import read_prompts
from headrank.engine.tiles import causal_attention, kernel, suits

CAN = torch.cpu.get_capabilities()
RUNS = {"avx512": CAN.get("avx512_bf16"), "avx2": CAN.get("avx2")}


@pytest.fixture(params=RUNS)
def module(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Each compiled module that this processor can run, in its turn."""
    if not RUNS[request.param]:
        pytest.skip(f"this processor has no {request.param}")
    try:
        found = import_module(f"headrank.engine.tiles.{request.param}")
    except ImportError:
        pytest.skip("the package was installed without a compiler")
    monkeypatch.setattr(tiles, "kernel", lambda: found)
    return found


def test_what_can_be_compiled_is_compiled():
    if platform.machine() != "x86_64" or not (shutil.which("cc") or shutil.which("gcc")):
        pytest.skip("no compiler, or no x86-64 processor")
    for name in RUNS:
        import_module(f"headrank.engine.tiles.{name}")
    assert kernel() is not None or not CAN.get("avx2")


def states(heads: int, tokens: int, width: int, seed: int = 0) -> torch.Tensor:
    """(1, heads, tokens, width), laid out as a projection lays it out."""
    generator = torch.Generator().manual_seed(seed + 1000 * heads + tokens)
    return torch.randn(1, tokens, heads, width, generator=generator).transpose(1, 2)


def expected(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scaling: float) -> torch.Tensor:
    rows, keys = q.shape[2], k.shape[2]
    visible = torch.ones(rows, keys, dtype=torch.bool).tril(keys - rows)
    return sdpa(q, k, v, attn_mask=visible, scale=scaling, enable_gqa=True).transpose(1, 2)


@pytest.mark.parametrize(
    ("rows", "before"), [(1, 0), (3, 0), (64, 0), (65, 0), (130, 0), (1, 64), (5, 70), (70, 200)]
)
@pytest.mark.parametrize(("heads", "shared", "width"), [(4, 2, 16), (3, 1, 24), (2, 2, 64), (6, 3, 100)])
def test_values_and_gradients_are_those_of_sdpa(
    module: Any, rows: int, before: int, heads: int, shared: int, width: int
):
    q = states(heads, rows, width)
    k, v = (states(heads // shared, before + rows, width, seed) for seed in (1, 2))
    for given in (q, k, v):
        given.requires_grad_()
    ours, theirs = causal_attention(q, k, v, 0.3), expected(q, k, v, 0.3)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    slope = torch.randn(ours.shape, generator=torch.Generator().manual_seed(rows))
    found = torch.autograd.grad(ours, (q, k, v), slope)
    for one, other in zip(found, torch.autograd.grad(theirs, (q, k, v), slope), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)
    with torch.no_grad():
        assert torch.equal(causal_attention(q, k, v, 0.3), ours)


def test_values_that_learn_nothing_get_no_gradient(module: Any):
    q, k, v = states(4, 70, 16).requires_grad_(), states(2, 90, 16).requires_grad_(), states(2, 90, 16, 1)
    alone = torch.autograd.grad(causal_attention(q, k, v, 0.3).square().sum(), (q, k))
    every = torch.autograd.grad(causal_attention(q, k, v.requires_grad_(), 0.3).square().sum(), (q, k, v))
    assert all(torch.equal(one, other) for one, other in zip(alone, every, strict=False))


def test_any_size_of_logits(module: Any):
    """Logits that rise by hundreds from tile to tile, fall as far, or are all the same."""
    tokens = 200
    rise = torch.arange(tokens, dtype=torch.float32)
    for slope in (30.0, 0.01, 0.0, -30.0):
        q = torch.ones(1, 1, tokens, 16)
        k = (rise * slope)[None, None, :, None].expand(1, 1, tokens, 16).contiguous()
        v = states(1, tokens, 16)
        exact = expected(q.double(), k.double(), v.double(), 1.0)
        torch.testing.assert_close(causal_attention(q, k, v, 1.0).double(), exact, atol=1e-5, rtol=1e-4)


def test_what_a_row_may_not_see_changes_nothing(module: Any):
    q, k, v = states(2, 100, 16), states(1, 100, 16), states(1, 100, 16)
    before = causal_attention(q, k, v, 1.0)
    k[:, :, 71:], v[:, :, 71:] = 1e4, -1e30
    assert torch.equal(causal_attention(q, k, v, 1.0)[:, :71], before[:, :71])


def test_what_is_no_number_is_not_hidden(module: Any):
    """A softmax that took the greater of a number and none would leave it out without a word."""
    for place in range(3):
        given = [states(2, 100, 16), states(1, 100, 16), states(1, 100, 16)]
        given[place][0, :, 70, 3] = float("nan")
        found = causal_attention(*given, 1.0)
        rows = slice(70, 71) if place == 0 else slice(70, None)
        assert torch.isnan(found[:, rows]).any(dim=-1).all()
        assert torch.isfinite(found[:, :64]).all()


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_threads_give_the_same_bytes(kind: torch.dtype, monkeypatch: pytest.MonkeyPatch):
    if kernel() is None or (kind == torch.bfloat16 and not RUNS["avx512"]):
        pytest.skip("no compiled attention for this processor")
    grad = kind == torch.float32
    q, k, v = (states(heads, 300, 32).to(kind).requires_grad_(grad) for heads in (8, 4, 4))

    def found() -> list[torch.Tensor]:
        mixed = causal_attention(q, k, v, 0.2)
        return [mixed, *torch.autograd.grad(mixed.sum(), (q, k, v))] if grad else [mixed]

    alone = found()
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert all(torch.equal(one, other) for one, other in zip(found(), alone, strict=True))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own(monkeypatch: pytest.MonkeyPatch):
    if kernel() is None:
        pytest.skip("no compiled attention for this processor")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    q = states(2, 100, 16)
    causal_attention(q, q, q, 1.0)
    child = os.fork()
    if not child:
        signal.alarm(20)
        causal_attention(q, q, q, 1.0)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.skipif(not RUNS["avx512"], reason="this processor does not multiply bfloat16")
@pytest.mark.parametrize("width", [16, 24, 64, 128])
def test_bfloat16_errs_as_sdpa_does(width: int):
    q, k, v = (states(heads, 300, width) for heads in (8, 4, 4))
    exact = expected(q, k, v, width**-0.5)
    q, k, v = q.bfloat16(), k.bfloat16(), v.bfloat16()
    theirs = (expected(q, k, v, width**-0.5) - exact).square().mean()
    ours = (causal_attention(q, k, v, width**-0.5) - exact).square().mean()
    assert ours.sqrt() < 2 * theirs.sqrt()
    # Rows of an odd number of values, and rows that begin within a cell.
    for odd in (torch.zeros(1, 4, 300, width + 1).bfloat16(), torch.zeros(1, 4, 300, width + 2).bfloat16()):
        odd[..., 1 : width + 1] = k
        again = causal_attention(q, odd[..., 1 : width + 1], v, width**-0.5)
        assert torch.equal(again, causal_attention(q, k, v, width**-0.5))


def test_second_derivatives_are_refused(module: Any):
    q = states(2, 5, 16).requires_grad_()
    (slope,) = torch.autograd.grad(causal_attention(q, q, q, 1.0).square().sum(), q, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()


def test_what_goes_by_tiles(monkeypatch: pytest.MonkeyPatch):
    class Module:
        PAIRS = True

    monkeypatch.setattr(tiles, "kernel", Module)
    q = states(2, 3, 16)
    half = q.bfloat16()
    assert suits(q, q, q, 0.0)
    assert suits(q.clone().requires_grad_(), q, q, 0.0)
    assert not suits(q, q, q, 0.1)
    assert not suits(q.expand(2, -1, -1, -1), q, q, 0.0)
    assert not suits(q, q, half, 0.0)
    assert not suits(q.double(), q.double(), q.double(), 0.0)
    wide = states(1, 2, 258)
    assert not suits(wide, wide, wide, 0.0)
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    assert suits(half, half, half, 0.0)
    learning = half.clone().requires_grad_()
    assert not suits(half, learning, half, 0.0)
    with torch.no_grad():
        assert suits(half, learning, half, 0.0)
    odd = states(1, 2, 15).bfloat16()
    assert not suits(odd, odd, odd, 0.0)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_tile": True})
    assert not suits(half, half, half, 0.0)
    assert suits(q, q, q, 0.0)
    monkeypatch.setattr(tiles, "kernel", lambda: None)
    assert not suits(q, q, q, 0.0)


def test_the_module_is_chosen_by_what_the_processor_has(monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []
    monkeypatch.setattr(tiles, "import_module", lambda name: asked.append(name) or name)
    for can in ({}, {"avx2": True, "fma3": True}, dict.fromkeys((*tiles._AVX512, "avx512_bf16"), True)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda can=can: can)
        kernel.__wrapped__()
    assert asked == ["headrank.engine.tiles.avx2", "headrank.engine.tiles.avx512"]

    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(tiles, "import_module", missing)
    assert kernel.__wrapped__() is None


@pytest.mark.parametrize("kind", PLAIN)
@torch.no_grad()
def test_a_pass_by_tiles_reads_what_a_pass_by_sdpa_reads(
    kind: str, module: Any, monkeypatch: pytest.MonkeyPatch
):
    backbone, prompt = tiny_backbone(kind), tiny_prompt(kind)
    heads, sources = backbone.all_heads(), [("query", "query"), ("null", "last")]
    used: list[int] = []

    def counted(*states: Any) -> torch.Tensor:
        used.append(1)
        return causal_attention(*states)

    monkeypatch.setattr(tiles, "causal_attention", counted)
    (ours,) = read_prompts(backbone, [prompt], heads, sources)
    # Prefix and query, and the null query, in all layers but the last.
    assert len(used) == 2 * (backbone.n_layers - 1)
    monkeypatch.setattr(tiles, "suits", lambda *_: False)
    (plain,) = read_prompts(backbone, [prompt], heads, sources)
    assert len(used) == 2 * (backbone.n_layers - 1)
    for source in sources:
        torch.testing.assert_close(ours.mass[source], plain.mass[source], atol=1e-6, rtol=1e-4)


@torch.no_grad()
def test_a_window_wider_than_the_prompt_hides_nothing_and_goes_by_tiles(
    module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    wide = tiny_config("mistral", sliding_window=4096)
    backbone, prompt = load_backbone(write_checkpoint(tmp_path, wide)), tiny_prompt("mistral")
    (plain,) = read_prompts(tiny_backbone("mistral"), [prompt], [(3, 0)], [("query", "query")])
    used: list[int] = []
    monkeypatch.setattr(
        tiles, "causal_attention", lambda *states: used.append(1) or causal_attention(*states)
    )
    (ours,) = read_prompts(backbone, [prompt], [(3, 0)], [("query", "query")])
    assert len(used) == backbone.n_layers - 1
    assert torch.equal(ours.mass["query", "query"], plain.mass["query", "query"])
