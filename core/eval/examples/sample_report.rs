//! Writes the page of a made-up run: `cargo run -p cadre-eval --example sample_report OUT.html [see|collapsed|sequential|one|ten]`.

use std::error::Error;

mod sample;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let out = words.next().ok_or("give the file to write")?;
    let chosen = match words.next().as_deref() {
        None | Some("see") => sample::SEE,
        Some("collapsed") => sample::COLLAPSED,
        Some("sequential") => sample::SEQUENTIAL,
        Some("one") => sample::ONE,
        Some("ten") => sample::TEN,
        Some(other) => {
            return Err(format!("no sample named {other}: see, collapsed, sequential, one, ten").into());
        }
    };
    let (report, extras) = chosen.make()?;
    std::fs::write(&out, cadre_eval::render_html(&report, &extras)?)?;
    println!("{}", cadre_eval::render_markdown(&report, &extras));
    Ok(())
}
