//! Creates many run folders from the sample (unless they exist already) and prints how long it takes to index them,
//! reopen the index and sort them: `cargo run -p cadre-runs --example many_runs -- DIR 10000 [OUT]`. With OUT,
//! everything is also exported there. The figures go into docs/results.md.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use cadre_runs::{RunIndex, RunsError, Selection, export_csv, export_parquet, export_tensorboard, find_run};

const RECIPE: &str = include_str!("../samples/recipe.toml");
const REPORT: &str = include_str!("../samples/report.json");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().ok_or("DIR is missing")?);
    let count: usize = args.next().ok_or("COUNT is missing")?.parse()?;
    for run in 0..count {
        make(&folder, run)?;
    }
    timed("open, first of these runs", || RunIndex::open(&folder).map(|_| ()))?;
    for _ in 0..5 {
        let mut index = timed("open, up to date", || RunIndex::open(&folder))?;
        for (what, selection) in [
            ("--sort average-score", selection(None, Some("average-score"), None)),
            ("--sort -average-score --limit 20", selection(None, Some("-average-score"), Some(20))),
            (
                "--where 'routing.router.threshold >= 0.3 and name = see'",
                selection(Some("routing.router.threshold >= 0.3 and name = see"), None, None),
            ),
        ] {
            let table = timed(what, || index.select(&selection))?;
            println!("    {} rows, {} characters", table.rows.len(), table.to_text().len());
        }
        for note in index.notes() {
            println!("    note: {note}");
        }
    }
    timed("open and --sort average-score, as `cadre runs` does", || {
        let mut index = RunIndex::open(&folder)?;
        index.select(&selection(None, Some("average-score"), None)).map(|table| table.to_text())
    })?;
    if let Some(out) = args.next().map(PathBuf::from) {
        let mut index = RunIndex::open(&folder)?;
        let everything = Selection { columns: Some("*".to_owned()), ..Selection::default() };
        let table = timed("every value of every run", || index.select(&everything))?;
        timed("CSV", || export_csv(&table, &out.join("runs.csv")))?;
        timed("Parquet", || export_parquet(&table, &out.join("runs.parquet")))?;
        let run = find_run(&folder, &id(0))?;
        timed("TensorBoard, one run", || export_tensorboard(&run, &out.join("tensorboard")))?;
    }
    Ok(())
}

fn selection(filter: Option<&str>, sort: Option<&str>, limit: Option<usize>) -> Selection {
    Selection {
        filter: filter.map(str::to_owned),
        sort: sort.map(str::to_owned),
        limit,
        ..Selection::default()
    }
}

fn timed<T>(what: &str, work: impl FnOnce() -> Result<T, RunsError>) -> Result<T, RunsError> {
    let started = Instant::now();
    let outcome = work()?;
    println!("{:9.1} ms  {what}", started.elapsed().as_secs_f64() * 1000.0);
    Ok(outcome)
}

fn id(run: usize) -> String {
    format!("see-{:012x}", (run as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16)
}

/// A run like the sample, with its own threshold, seed and average score.
fn make(runs: &Path, run: usize) -> std::io::Result<()> {
    let folder = runs.join(id(run));
    if folder.join("report.json").exists() {
        return Ok(());
    }
    fs::create_dir_all(&folder)?;
    let threshold = (run % 20) as f64 / 20.0;
    let score = 50.0 + (run.wrapping_mul(7919) % 10_000) as f64 / 250.0;
    let recipe = RECIPE
        .replace("threshold = 0.5 ", &format!("threshold = {threshold:?} "))
        .replace("seed = 2  ", &format!("seed = {} ", run % 7));
    let report = REPORT
        .replace("87.87380903100942", &score.to_string())
        .replace("\"seed\": 2", &format!("\"seed\": {}", run % 7));
    fs::write(folder.join("plan.json"), "{\"format-version\": 1, \"stages\": []}")?;
    fs::write(folder.join("recipe.toml"), recipe)?;
    let mut events = String::new();
    for step in 1..=20 {
        let (time, loss) = (1_795_325_772_679_u64 + step * 50, 9.0 / step as f64);
        events.push_str(&format!(
            "{{\"stage\":\"train/sort\",\"key\":\"\",\"kind\":{{\"metric\":{{\"name\":\"loss\",\"step\":{step},\
             \"value\":{loss}}}}},\"time\":{time}}}\n"
        ));
    }
    fs::write(folder.join("events.jsonl"), events)?;
    fs::write(folder.join("report.json"), report)
}
