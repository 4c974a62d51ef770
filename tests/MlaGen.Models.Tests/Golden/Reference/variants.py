"""Writes Data/variants/NAME/{config.json, golden.json}: tiny models of every family in other shapes than the checkpoints of Data, as transformers computes them.

    python3 variants.py OUT [NAME ...]

Weights are not stored: both sides make them of a tensor's name and an element's index (`values`, VariantCheckpoint.cs). golden.json has the tensors' names and shapes as
transformers saves them, a prompt, the scores after its last tokens, and how greedy decoding goes on. Needs torch, transformers 5.17 and safetensors.
"""

import json
import math
import pathlib
import sys
import tempfile

import numpy
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AutoConfig

PROMPT, SCORED, GREEDY = 40, 4, 8

SIZES = {
    "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 4, "num_hidden_layers": 2, "vocab_size": 96, "intermediate_size": 80, "max_position_embeddings": 2560,
    "kv_lora_rank": 32, "q_lora_rank": 48, "qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "v_head_dim": 16, "eos_token_id": 1, "bos_token_id": 0,
}
EXPERTS = {"n_routed_experts": 8, "moe_intermediate_size": 24, "num_experts_per_tok": 3, "n_shared_experts": 1}
GROUPS = {"n_group": 4, "topk_group": 2, "norm_topk_prob": True, "routed_scaling_factor": 2.5, "first_k_dense_replace": 1}
YARN = {"rope_type": "yarn", "factor": 40, "original_max_position_embeddings": 64, "beta_fast": 32, "beta_slow": 1, "mscale": 1, "mscale_all_dim": 1, "rope_theta": 10000}
INDEX = {"index_topk": 24, "index_n_heads": 6, "index_head_dim": 16}
PLAIN = {"rope_type": "default", "rope_theta": 10000}

V3 = {"model_type": "deepseek_v3", **SIZES, **EXPERTS, **GROUPS, "rope_parameters": YARN}
V2 = {"model_type": "deepseek_v2", **SIZES, **EXPERTS, "rope_parameters": YARN | {"mscale": 0.707, "mscale_all_dim": 0.707}}
GLM = {"model_type": "glm4_moe_lite", **SIZES, **EXPERTS, **GROUPS, "rope_parameters": PLAIN}
V32 = {"model_type": "deepseek_v32", **SIZES, **EXPERTS, **GROUPS, **INDEX, "rope_parameters": YARN}
GLM5 = {"model_type": "glm_moe_dsa", **SIZES, **EXPERTS, **GROUPS, **INDEX, "rope_parameters": PLAIN}
CPM3 = {"model_type": "minicpm3", **SIZES}
LONGCAT = {
    "model_type": "longcat_flash", **{k: v for k, v in SIZES.items() if k not in ("num_hidden_layers", "intermediate_size")}, "num_layers": 1, "head_dim": 8, "ffn_hidden_size": 80,
    "expert_ffn_hidden_size": 24, "n_routed_experts": 6, "moe_topk": 3, "rope_parameters": PLAIN | {"rope_theta": 10000000},
}
FACTORS = [1.0 + 0.25 * i for i in range(4)]


def without(config, *keys):
    return {key: value for key, value in config.items() if key not in keys}


VARIANTS = {
    "v3-dense": V3 | {"first_k_dense_replace": 2},
    "v3-sparse-throughout": V3 | {"first_k_dense_replace": 0, "n_group": 1, "topk_group": 1},
    "v3-odd-sizes": V3 | {
        "q_lora_rank": None, "hidden_size": 48, "num_attention_heads": 3, "num_key_value_heads": 3, "kv_lora_rank": 40, "qk_nope_head_dim": 20, "qk_rope_head_dim": 4, "v_head_dim": 28,
        "intermediate_size": 52, "moe_intermediate_size": 20, "vocab_size": 97, "rope_parameters": PLAIN},
    "v3-not-normalised-tied": V3 | {"norm_topk_prob": False, "n_shared_experts": 2, "tie_word_embeddings": True},
    "v3-attention-bias": V3 | {"attention_bias": True},
    "v3-half-split": without(V3, "rope_parameters") | {"rope_interleave": False, "rope_theta": 50000.0, "rope_scaling": None},
    "v3-published-yarn": without(V3, "rope_parameters") | {
        "rope_theta": 20000, "rope_scaling": {"type": "yarn", "factor": 8, "original_max_position_embeddings": 32, "beta_fast": 16, "beta_slow": 2, "mscale": 0.8, "mscale_all_dim": 0.9}},
    "v3-yarn-without-mscale": V3 | {"rope_parameters": without(YARN, "mscale", "mscale_all_dim", "beta_fast", "beta_slow")},
    "v3-bare": {"model_type": "deepseek_v3", **SIZES, "num_hidden_layers": 4, "n_routed_experts": 16, "moe_intermediate_size": 24},
    "v2-greedy-bias": V2 | {"q_lora_rank": None, "topk_method": "greedy", "attention_bias": True, "first_k_dense_replace": 1, "routed_scaling_factor": 1.5, "norm_topk_prob": True},
    "v2-bare": without(V2, "n_shared_experts", "rope_parameters"),
    "v2-grouped": V2 | {"topk_method": "group_limited_greedy", "n_group": 2, "topk_group": 1, "first_k_dense_replace": 1, "tie_word_embeddings": True},
    "v2-mlp-bias": V2 | {"mlp_bias": True, "first_k_dense_replace": 1},
    "glm-mixed-layers": GLM | {"num_hidden_layers": 3, "mlp_layer_types": ["sparse", "dense", "sparse"], "n_group": 2, "topk_group": 1, "attention_bias": True},
    "glm-bare": without(GLM, *GROUPS, "n_shared_experts", "num_experts_per_tok", "rope_parameters"),
    "minicpm3-bare": without(CPM3, "v_head_dim"),
    "minicpm3-longrope": CPM3 | {
        "scale_emb": 3, "scale_depth": 1.4, "dim_model_base": 16, "tie_word_embeddings": False, "rope_theta": 10000,
        "rope_scaling": {"type": "longrope", "short_factor": FACTORS, "long_factor": FACTORS, "factor": 1.0, "original_max_position_embeddings": 2560}},
    "youtu-bare": {"model_type": "youtu", **SIZES},
    "youtu-no-q-lora": {"model_type": "youtu", **SIZES, "q_lora_rank": None, "attention_bias": True, "tie_word_embeddings": False, "rope_parameters": YARN},
    "axk1-grouped": V3 | {"model_type": "axk1", "first_k_dense_replace": 0, "n_group": 2, "topk_group": 1, "rope_parameters": PLAIN, "tie_word_embeddings": True},
    "axk1-bare": without(V3, *GROUPS, "n_shared_experts", "num_experts_per_tok", "rope_parameters") | {"model_type": "axk1", "n_routed_experts": 16},
    "axk2-grouped": without(V3, "first_k_dense_replace") | INDEX | {"model_type": "axk2", "gated_norm_rank": 4, "mlp_layer_types": ["sparse", "dense"], "rope_parameters": PLAIN},
    "mistral4-grouped": V3 | {"model_type": "mistral4", "norm_topk_prob": False, "rope_parameters": YARN | {"llama_4_scaling_beta": 0.1}},
    "mistral4-bare": without(V3, *GROUPS, "n_shared_experts", "num_experts_per_tok") | {"model_type": "mistral4", "rope_parameters": YARN | {"llama_4_scaling_beta": 0.1}},
    "longcat-no-identities": LONGCAT | {"zero_expert_num": 0, "routed_scaling_factor": 6.0},
    "longcat-many-identities": LONGCAT | {"zero_expert_num": 9, "tie_word_embeddings": True},
    "hy4-four-streams": without(V3, "rope_parameters") | INDEX | {
        "model_type": "hy_v4", "pad_token_id": None, "rms_norm_eps": 1e-5, "hc_mult": 4, "hc_magnitude": 1.5, "n_group": 1, "topk_group": 1, "indexer_types": ["full", "shared"], "mlp_layer_types": ["dense", "sparse"], "rope_parameters": PLAIN},
    "v32-one-group": V32 | {"n_group": 1, "topk_group": 1, "first_k_dense_replace": 0},
    "v32-few-tokens": V32 | {"index_topk": 64, "n_shared_experts": 2},
    "glm5-every-other": GLM5 | {"num_hidden_layers": 4, "index_topk_freq": 2, "first_k_dense_replace": 2},
}


def values(name, shape):
    """Numbers that bf16, fp16 and fp32 have alike."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    with numpy.errstate(over="ignore"):
        z = numpy.uint64(seed) + numpy.arange(1, math.prod(shape) + 1, dtype=numpy.uint64) * numpy.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        z = z ^ (z >> numpy.uint64(31))
    steps = (z >> numpy.uint64(56)).astype(numpy.int64) - 128
    if len(shape) > 1:
        found = steps * 2.0 ** -(6 + math.ceil(math.log2(shape[-1]) / 2))
    elif "norm" in name and name.endswith(".weight"):
        found = 1 + (steps >> 3) / 64
    else:
        found = steps / 512
    return torch.from_numpy(found.astype(numpy.float32)).reshape(shape)


def write(name, config, out):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "config.json").write_text(json.dumps(config))
        parsed = AutoConfig.from_pretrained(folder)
        kind = getattr(transformers, type(parsed).__name__.replace("Config", "ForCausalLM"))
        kind(parsed).save_pretrained(folder / "saved", max_shard_size="100GB")
        with safe_open(folder / "saved" / "model.safetensors", "pt") as saved:
            shapes = {key: list(saved.get_slice(key).get_shape()) for key in sorted(saved.keys())}
        save_file({key: values(key, shape).to(torch.bfloat16) for key, shape in shapes.items()}, folder / "model.safetensors", metadata={"format": "pt"})
        model, loaded = kind.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager", experts_implementation="eager", output_loading_info=True)
        if any(loaded.values()):
            raise ValueError(f"not loaded as it was saved: {loaded}")
        model.eval()

    vocabulary = config["vocab_size"]
    tokens = [int(token) for token in numpy.random.default_rng(7).integers(2, vocabulary, PROMPT)]
    with torch.no_grad():
        scores = model(torch.tensor([tokens])).logits[0]
        prompt, last, greedy, margin = tokens, scores[-SCORED:], [], math.inf
        for _ in range(GREEDY):
            best = torch.topk(scores[-1], 2)
            margin = min(margin, float(best.values[0] - best.values[1]))
            greedy.append(int(best.indices[0]))
            scores = model(torch.tensor([prompt + greedy])).logits[0]
    target = out / name
    target.mkdir(parents=True)
    (target / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    golden = {
        "tensors": shapes, "prompt": prompt, "greedy": greedy, "smallest_margin": margin,
        "logits": [[float(f"{x:.9g}") for x in row] for row in last.tolist()], "logits_end": [float(f"{x:.9g}") for x in scores[-1].tolist()],
    }
    (target / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{name}: {len(shapes)} tensors, margin {margin:.3g}, scores up to {float(last.abs().max()):.3g}", flush=True)


if __name__ == "__main__":
    out = pathlib.Path(sys.argv[1])
    for name in sys.argv[2:] or VARIANTS:
        write(name, VARIANTS[name], out)
