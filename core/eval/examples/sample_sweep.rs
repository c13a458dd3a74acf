//! Writes the page of a made-up sweep: `cargo run -p cadre-eval --example sample_sweep OUT.html [thresholds|recipes|grid]`.

use std::error::Error;

mod sweeps;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let out = words.next().ok_or("give the file to write")?;
    let report = match words.next().as_deref() {
        None | Some("thresholds") => sweeps::thresholds()?,
        Some("recipes") => sweeps::recipes()?,
        Some("grid") => sweeps::grid(7, 6, 8, 3)?,
        Some(other) => return Err(format!("no sweep named {other}: thresholds, recipes, grid").into()),
    };
    std::fs::write(&out, cadre_eval::render_sweep_html(&report)?)?;
    println!("{}", cadre_eval::render_sweep_markdown(&report));
    Ok(())
}
