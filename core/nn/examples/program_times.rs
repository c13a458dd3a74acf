//! Prints what a tensor program costs against the same code written natively:
//! `cargo run --workspace --example program_times`, optionally with the number of rounds.

use cadre_nn::{Allocator, NnError, keep_freed_pages, time_programs};

#[global_allocator]
static ALLOCATOR: Allocator = mimalloc::MiMalloc;

fn main() -> Result<(), NnError> {
    keep_freed_pages();
    let rounds = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(41);
    println!("| rows | pass | program, µs | native, µs | ratio |");
    println!("|---|---|---|---|---|");
    for time in time_programs(&[1, 16, 256, 2048], rounds)? {
        let pass = if time.backward { "forward and backward" } else { "forward" };
        let (program, native) = (1e6 * time.program, 1e6 * time.native);
        println!("| {} | {pass} | {program:.1} | {native:.1} | {:.3} |", time.rows, time.ratio);
    }
    Ok(())
}
