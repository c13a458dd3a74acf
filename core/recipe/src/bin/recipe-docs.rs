//! Writes or checks generated files: the JSON schema and the key reference, from the recipe structs, and the page of
//! methods, from the shipped collections.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let argument = std::env::args().nth(1);
    let write = match argument.as_deref() {
        Some("--write") => true,
        Some("--check") => false,
        _ => {
            eprintln!("usage: recipe-docs --write | --check");
            return ExitCode::from(2);
        }
    };
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = [
        (crate_folder.join("recipe.schema.json"), cadre_recipe::schema_json()),
        (crate_folder.join("../../docs/recipe-reference.md"), cadre_recipe::reference_markdown()),
        (
            crate_folder.join("../../docs/methods.md"),
            cadre_recipe::methods_markdown(&crate_folder.join("../../plugins")),
        ),
    ];
    let mut code = ExitCode::SUCCESS;
    for (file, text) in files {
        if write {
            if let Err(error) = std::fs::write(&file, text) {
                eprintln!("cannot write {}: {error}", file.display());
                code = ExitCode::FAILURE;
            }
        } else if std::fs::read_to_string(&file).ok().as_deref() != Some(text.as_str()) {
            eprintln!("{} is out of date; run `recipe-docs --write`", file.display());
            code = ExitCode::FAILURE;
        }
    }
    code
}
