//! The program `cadre`: sets up an allocator that keeps freed pages, and runs the command line.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: cadre_nn::Allocator = cadre_nn::Allocator {};

fn main() -> ExitCode {
    cadre_nn::keep_freed_pages();
    cadre_engine::main()
}
