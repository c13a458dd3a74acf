//! `cadre report ID`: regenerates the report of a run from the store and shows it.

use std::process::{Command, Stdio};

use cadre_scheduler::CommonArgs;
use cadre_store::ArtifactStore;
use clap::Args;

use super::Done;
use super::run_folder::RunFolder;
use crate::error::EngineError;
use crate::terminal::{OutputMode, Terminal};

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// The run: its recipe's name (`see@2` is the one before the most recent), its id, an id prefix, or its folder
    #[arg(value_name = "ID")]
    id: String,
    /// Open the HTML report in a browser
    #[arg(long)]
    open: bool,
}

pub(super) fn report(args: &ReportArgs, common: &CommonArgs, terminal: &Terminal) -> Done {
    let folder = RunFolder::find(&args.id, &common.runs, terminal)?;
    let store = ArtifactStore::open(&common.store)?;
    let report = folder.finish(&folder.plan()?, &store)?;
    match terminal.mode() {
        OutputMode::Json => terminal.print(&report.to_json()?),
        _ => {
            let path = folder.layout.report_md();
            let text = std::fs::read_to_string(&path).map_err(|source| EngineError::Read { path, source })?;
            terminal.print(&text);
            terminal.note(&format!("page: {}", folder.layout.report_html().display()));
        }
    }
    if args.open {
        open(&folder)?;
    }
    Ok(())
}

fn open(folder: &RunFolder) -> Done {
    let page = folder.layout.report_html();
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let begun = Command::new(opener).arg(&page).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    begun.map(|_| ()).map_err(|_| EngineError::NotFound {
        what: "a program to open pages with",
        name: opener.to_owned(),
        advice: format!("open {} by hand", page.display()),
    })
}
