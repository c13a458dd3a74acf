//! `cargo xtask …`: the project's command line. Builds what a command needs and hands over to it. Must not depend on
//! burn, wasmtime or a crate of the core.

mod build_progress;
mod check;
mod figures;
mod hand_over;
mod plugins;
mod shell;
mod tidy;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  run RECIPE [ARGS…]      build the program with the backend of the recipe, and run it
  plan RECIPE [ARGS…]     the stages of a recipe: cached or to do (builds no tensor code)
  expand RECIPE [ARGS…]   the recipe after inheritance and defaults (builds no tensor code)
  cadre ARGS…             any other command of `cadre`: report, ask, data, plugin, doctor, schema …
  test [ARGS…]            all tests: the workspace's and the policies' own
  check [--all-backends]  all of CI, cheapest first: fmt, clippy, tidy, generated files, tests
  tidy                    the architecture rules of ARCHITECTURE.md
  generate [--check]      the files made from the code: recipe schema and key reference
  sanitize [TESTS…]       run the kernels' tests under the address sanitizer, at each vector level (nightly toolchain)
  figures [NAME… | --page | --check]
                          run the studies behind docs/results.md and write their tables (or only the tables)
  new router|selector NAME  create a policy in plugins/NAME
  plugins [--check]       rebuild the policies' components (or compare with what is committed)
";

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    if args.is_empty() {
        eprint!("{HELP}");
        return ExitCode::from(2);
    }
    let command = args.remove(0);
    let outcome = match command.as_str() {
        "run" => hand_over::run(&args),
        "plan" | "expand" => hand_over::plan(&command, &args),
        "cadre" => hand_over::program(&args),
        "test" => check::test(&args),
        "check" => check::check(&args),
        "tidy" => tidy::report(),
        "generate" => check::generate(&args),
        "sanitize" => check::sanitize(&args),
        "figures" => figures::figures(&args),
        "new" => plugins::new(&args),
        "plugins" => plugins::build(&args),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        other => {
            eprintln!("error: there is no command `{other}`\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
