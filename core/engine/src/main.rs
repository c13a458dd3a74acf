//! The program `cadre`: an allocator that keeps its pages, and the command line behind it.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: cadre_nn::Allocator = cadre_nn::Allocator {};

fn main() -> ExitCode {
    cadre_nn::keep_freed_pages();
    cadre_engine::main()
}
