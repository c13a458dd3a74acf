//! The studies behind `docs/results.md`. A new one is an entry here and a place in the page.

/// Runs whose figures make one table.
pub(super) struct Study {
    /// Name of the file in `results/`, and of the place in the page.
    pub(super) name: &'static str,
    pub(super) measured: Measured,
    /// Rows of the table.
    pub(super) rows: &'static [Row],
    /// Arguments of each run of a row: seeds, and what is varied with them.
    pub(super) replicates: &'static [&'static [&'static str]],
}

/// A row of a table.
pub(super) struct Row {
    pub(super) label: &'static str,
    /// Arguments of `cadre run`, or of `cargo`.
    pub(super) args: &'static [&'static str],
}

/// What is taken from a run.
#[derive(Clone, Copy)]
pub(super) enum Measured {
    /// The figures of its report.
    Report,
    /// Lines of the output that contain a text.
    Lines(&'static str),
}

const fn row(label: &'static str, args: &'static [&'static str]) -> Row {
    Row { label, args }
}

const SEEDS: &[&[&str]] = &[
    &["--set", "seed=0"],
    &["--set", "seed=1"],
    &["--set", "seed=2"],
    &["--set", "seed=3"],
    &["--set", "seed=4"],
];

const TWO_SEEDS: &[&[&str]] = &[&["--set", "seed=0"], &["--set", "seed=1"]];

/// Evaluated once, after the last task.
const AT_END: [&str; 2] = ["--set", "evaluation.when=end"];

const SEE: &str = "recipes/see-smollm2.toml";
const TWO_TASKS: &str = "stream.order=[\"sa\",\"trans\"]";

/// The arguments of a variant of the study of two tasks: claims only, no answers.
macro_rules! two_tasks {
    ($($more:expr),* $(,)?) => {
        &[SEE, "--set", TWO_TASKS, "--set", "evaluation.when=end", "--set", "evaluation.decoding.max-new-tokens=1" $(, "--set", $more)*]
    };
}

const NEW: [&str; 3] = ["indicator.kind=new-token", "indicator.accept=<accept>", "indicator.reject=<reject>"];
const FEW: [&str; 2] = ["rehearsal.selector.share=0.1", "rehearsal.pseudo-negatives.count=1"];
const WEIGHT_1: &str = "indicator.loss-weight=1";
const BATCH_8: &str = "expert.training.batch=8";

pub(super) const STUDIES: &[Study] = &[
    Study {
        name: "built-in-stream",
        measured: Measured::Report,
        rows: &[
            row("`see`", &["recipes/see.toml"]),
            row("`oracle`", &["recipes/baseline/oracle.toml"]),
            row("`sequential`", &["recipes/baseline/sequential.toml"]),
            row("`zero-shot`", &["recipes/baseline/zero-shot.toml"]),
        ],
        replicates: SEEDS,
    },
    Study {
        name: "merges",
        measured: Measured::Report,
        rows: &[
            row("each task by its own expert", &["recipes/baseline/single-task.toml", AT_END[0], AT_END[1]]),
            row("`averaging`", &["recipes/methods/averaging.toml", AT_END[0], AT_END[1]]),
            row("`task-arithmetic`", &["recipes/methods/task-arithmetic.toml", AT_END[0], AT_END[1]]),
            row("`ties`", &["recipes/methods/ties.toml", AT_END[0], AT_END[1]]),
            row("`dare`", &["recipes/methods/dare.toml", AT_END[0], AT_END[1]]),
            row("`breadcrumbs`", &["recipes/methods/breadcrumbs.toml", AT_END[0], AT_END[1]]),
            row("`model-stock`", &["recipes/methods/model-stock.toml", AT_END[0], AT_END[1]]),
            row(
                "`layer-swapping`, two tasks",
                &["recipes/methods/layer-swapping.toml", AT_END[0], AT_END[1]],
            ),
        ],
        replicates: TWO_SEEDS,
    },
    Study {
        name: "smollm2",
        measured: Measured::Report,
        rows: &[row("`see-smollm2`", &[SEE])],
        replicates: &[
            &["--set", "seed=0"],
            &["--set", "seed=1", "--set", "stream.order=[\"pe\",\"para\",\"sa\",\"trans\"]"],
            &["--set", "seed=2", "--set", "stream.order=[\"para\",\"trans\",\"pe\",\"sa\"]"],
        ],
    },
    Study {
        name: "smollm2-ablation",
        measured: Measured::Report,
        rows: &[
            row("the recipe", two_tasks!()),
            row("loss weight 1", two_tasks!(WEIGHT_1)),
            row("learning rate 3e-3", two_tasks!("expert.training.learning-rate=3e-3")),
            row("learning rate 3e-4", two_tasks!("expert.training.learning-rate=3e-4")),
            row("few negatives (8 and 1)", two_tasks!(FEW[0], FEW[1])),
            row("few negatives, loss weight 1, batch 8", two_tasks!(FEW[0], FEW[1], WEIGHT_1, BATCH_8)),
            row("new tokens, loss weight 1", two_tasks!(NEW[0], NEW[1], NEW[2], WEIGHT_1)),
            row("new tokens, loss weight 1, batch 8", two_tasks!(NEW[0], NEW[1], NEW[2], WEIGHT_1, BATCH_8)),
            row(
                "new tokens from `Yes` and `No`, loss weight 1, batch 8",
                two_tasks!(
                    NEW[0],
                    NEW[1],
                    NEW[2],
                    WEIGHT_1,
                    BATCH_8,
                    "indicator.start-from={accept=\"Yes\",reject=\"No\"}"
                ),
            ),
            row(
                "new tokens, loss weight 1, batch 8, few negatives",
                two_tasks!(NEW[0], NEW[1], NEW[2], WEIGHT_1, BATCH_8, FEW[0], FEW[1]),
            ),
        ],
        replicates: TWO_SEEDS,
    },
    Study {
        name: "routing-call",
        measured: Measured::Lines("microseconds-a-query"),
        rows: &[row("`route_bench`", &["run", "--quiet", "--example", "route_bench"])],
        replicates: &[&[]],
    },
];
