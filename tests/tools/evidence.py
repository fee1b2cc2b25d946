"""What `make verify`, `twingrad mistakes` and `make bench` write, and a text, all of it with HTML in it."""

ENVIRONMENT = {
    "date": "2026-01-02T03:04:05+00:00",
    "python": "3.11",
    "versions": {"numpy": "<b>2</b>"},
    "platform": "",
    "cpu": "a CPU",
    "blas": [],
    "threads": 1,
}
FIRST = {"step": 2, "stage": "grads", "tensor": "<i>", "index": [1, 2], "expected": 0.5, "got": "nan"}
AGREE = {
    "implementation": "<script>",
    "verdict": "agree",
    "worst_eps": 1.25,
    "first_divergence": None,
    "reason": "",
    "against": "<a>",
    "diagnosis": [],
}
MEDIANS = {"numpy": 2e-6, "Embedding": 5e-6, "Bag": 4e-6, "its floor": 1e-6}
EVIDENCE = {
    "verify": {
        "results": [
            AGREE | {"case": "embedding-small-sgd-dense-f64"},
            AGREE | {"case": "embedding-small-adam-dense-f64", "worst_eps": 7.5},
            AGREE
            | {
                "case": "skipgram-pairs-sgd-rows-f32",
                "verdict": "disagree",
                "worst_eps": "inf",
                "first_divergence": FIRST,
            },
            AGREE | {"case": "gone-<u>"},
        ],
        "summary": {},
        "environment": ENVIRONMENT,
    },
    "mistakes": {
        "mistakes": [
            {
                "name": "<em>",
                "kind": "lookup",
                "sentence": "a & b",
                "wrong": "",
                "right": "",
                "sources": ["a/b#3", "javascript:alert(1)"],
                "caught_by": {"embedding-small-sgd-dense-f64": {"step": 1, "stage": "grads", "tensors": []}},
                "cases": 9,
            }
        ],
        "environment": ENVIRONMENT,
    },
    "bench": {
        "benchmarks": [
            {"group": "bag forward <S>", "extra_info": {"medians": MEDIANS, "timed": timed}}
            for timed in ("numpy", "Bag")
        ],
        "machine_info": {"twingrad": ENVIRONMENT},
    },
}

HOSTILE = 'One <script>alert("x")</script> two & <b>three</b></script> four\n\nalone\n\nfive one two'
