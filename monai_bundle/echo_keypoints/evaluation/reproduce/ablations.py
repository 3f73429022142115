"""Tables 3, 4 and 5, Figure 6, and the design of TR-net: one thing changed at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from echo_keypoints.evaluation.peers.engine import AS_IN_THE_PAPER, Engine, TRNetTracker
from echo_keypoints.evaluation.peers.registry import TRACKERS, Entry
from echo_keypoints.evaluation.reproduce.chart import Series, save_chart
from echo_keypoints.evaluation.reproduce.context import Context, compare, lines
from echo_keypoints.evaluation.reproduce.paper import ACCURACY, TABLE_3, TABLE_4, TABLE_5
from echo_keypoints.evaluation.reproduce.report import Column, Line, Report
from echo_keypoints.evaluation.reproduce.variants import TEACHER, Variant, backends, prepare

COLUMNS = (*ACCURACY, Column("mae_sum_px", "MAE sum"), Column("mpe_px", "error px"), Column("ave_px", "AVE"))
PAPER_KEYS = [column.key for column in ACCURACY]
ITERATIONS = 5
NOTE = (
    "px at 224 × 224; mean over clips with 95 % bootstrap interval over clips. All rows start from SK-net's points "
    "in the reference frame; unless a row says otherwise these are not corrected afterwards, as in the paper."
)

METHOD, PSEUDO = Variant(), Variant(patch=False)
LOSSES = {
    "none": None,
    "pseudo": PSEUDO,
    "patch": Variant(pseudo=False),
    "both": METHOD,
}


def table_3(context: Context) -> list[Report]:
    """Loss ablation: TR-net trained with each term alone and with both."""
    titles = {"none": "none (SK-net)", "pseudo": "L_pseudo", "patch": "L_patch", "both": "L_pseudo + L_patch"}
    return _ablation(context, "table3", "Table 3, losses,", LOSSES, titles, TABLE_3)


def table_4(context: Context) -> list[Report]:
    """Input ablation: TR-net with SK-net's features among its inputs and without."""
    variants = {"with": METHOD, "without": Variant(context=False)}
    return _ablation(
        context,
        "table4",
        "Table 4, semantic input,",
        variants,
        {"with": "with", "without": "without"},
        TABLE_4,
    )


def design(context: Context) -> list[Report]:
    """What TR-net is made of: depth of the mixer, levels of context, what it compares with. Not in the paper."""
    titles = {
        "method": "as shipped: six mixer blocks, context at strides 2, 4, 8, both comparisons",
        "shallow": "three mixer blocks",
        "coarse": "context at strides 4, 8",
        "fine": "context at strides 1, 2, 4, 8",
        "no_neighbours": "not compared with the frame before (as the paper)",
        "no_correlation": "not compared with the reference frame",
    }
    variants = {name: METHOD if name == "method" else Variant(design=name) for name in titles}
    return _ablation(context, "design", "Design of TR-net", variants, titles, {})


def table_5(context: Context) -> list[Report]:
    """How the reference frame is chosen, with the shipped TR-net: as in the paper, and with our correction."""
    entries, paper = {}, {}
    for reference in ("first", "random", "confidence"):
        for consensus in (False, True):
            name = f"{reference}{'+' * consensus}"
            title = f"{reference}{', corrected by all detections' * consensus}"
            options = {**AS_IN_THE_PAPER, "consensus": consensus, "reference": reference}
            make = partial(TRNetTracker, **options)
            entries[name] = Entry(title, make, ours=True)
            paper[name] = reference
    reports = []
    for dataset in context.datasets():
        runs, skipped = compare(context, "table5", dataset, entries)
        reports.append(
            Report(
                f"table5_{dataset.name}", f"Table 5, reference frame, on {dataset.title}", COLUMNS,
                lines(runs, entries, paper), TABLE_5, PAPER_KEYS, [NOTE, *skipped], context.settings(),
            )
        )  # fmt: skip
    return reports


def figure_6(context: Context) -> list[Report]:
    """Accuracy after each iteration with and without L_patch, and over α and β; charts beside the tables."""
    values = context.budget.hyperparameters
    alphas = {value: Variant(alpha=value) for value in values}
    betas = {value: Variant(beta=value) for value in values}
    engines = _engines(context, [METHOD, PSEUDO, *alphas.values(), *betas.values()])
    entries: dict[str, Entry] = {}
    for label, variant in (("both", METHOD), ("pseudo", PSEUDO)):
        for i in range(1, ITERATIONS + 1):
            title = f"{'L_pseudo + L_patch' if label == 'both' else 'L_pseudo'}, iteration {i}"
            entries[f"{label}_{i}"] = _entry(title, engines[variant], iterations=i)
    entries |= {f"alpha_{value:g}": _entry(f"α = {value:g}", engines[v]) for value, v in alphas.items()}
    entries |= {f"beta_{value:g}": _entry(f"β = {value:g}", engines[v]) for value, v in betas.items()}
    reports = []
    for dataset in context.datasets():
        runs, skipped = compare(context, "figure6", dataset, entries)
        rows = dict(zip(dict.fromkeys(run.tracker for run in runs), lines(runs, entries), strict=True))
        _charts(context, dataset.name, rows, values)
        reports.append(
            Report(
                f"figure6_{dataset.name}", f"Figure 6 on {dataset.title}", COLUMNS, list(rows.values()),
                notes=[NOTE, _teacher_note(context), *skipped], settings=context.settings(),
            )
        )  # fmt: skip
    return reports


def _ablation(
    context: Context,
    name: str,
    title: str,
    variants: Mapping[str, Variant | None],
    titles: Mapping[str, str],
    paper: Mapping[str, Sequence[float]],
) -> list[Report]:
    engines = _engines(context, [variant for variant in variants.values() if variant])
    entries = {
        key: _entry(titles[key], engines[variant]) if variant else _titled(TRACKERS["sknet"], titles[key])
        for key, variant in variants.items()
    }
    reports = []
    for dataset in context.datasets():
        runs, skipped = compare(context, name, dataset, entries)
        reports.append(
            Report(
                f"{name}_{dataset.name}", f"{title} on {dataset.title}", COLUMNS, lines(runs, entries, titles), paper,
                PAPER_KEYS if paper else (), [NOTE, _teacher_note(context), *skipped], context.settings(),
            )
        )  # fmt: skip
    return reports


def _engines(context: Context, variants: Sequence[Variant]) -> dict[Variant, Engine]:
    wanted = list(dict.fromkeys(variants))
    homes = prepare(wanted, context.budget, context.engine, context.runs)
    return backends(homes, context.engine.weights("sknet.pt"))


def _entry(title: str, engine: Engine, **options: int) -> Entry:
    make = lambda _: TRNetTracker(engine, **AS_IN_THE_PAPER, **options)  # noqa: E731
    return Entry(title, make, ours=True, weights=(engine.weights("sknet.pt"), engine.weights("trnet.pt")))


def _titled(entry: Entry, title: str) -> Entry:
    return Entry(title, entry.make, entry.from_query, entry.ours)


def _teacher_note(context: Context) -> str:
    budget = context.budget
    return (
        f"Every TR-net was trained from scratch for {budget.steps} steps on {budget.clips} phantom clips, all on the "
        f"same ones; pseudo-labels are of {TEACHER}."
    )


def _charts(context: Context, dataset: str, rows: Mapping[str, Line], values: Sequence[float]) -> None:
    steps = [float(i) for i in range(1, ITERATIONS + 1)]

    def series(title: str, label: str, xs: Sequence[float]) -> Series:
        found = [rows[f"{label}_{x:g}"].values["delta_avg_percent"] for x in xs]
        return Series(
            title, list(xs), [e.mean for e in found], [e.low for e in found], [e.high for e in found]
        )

    folder, y = context.output, "delta_avg (%)"  # pillow's typeface has no Greek
    iterations = [series("L_pseudo + L_patch", "both", steps), series("L_pseudo", "pseudo", steps)]
    save_chart(iterations, "iteration", y, folder / f"figure6a_{dataset}.png")
    save_chart([series("alpha", "alpha", values)], "alpha", y, folder / f"figure6b_{dataset}.png")
    save_chart([series("beta", "beta", values)], "beta", y, folder / f"figure6c_{dataset}.png")
