//! `cadre plugin show NAME`: what a method declares, and the programs its hooks are traced into for sample shapes.

use cadre_contract::{Hook, PolicyDeclaration};
use cadre_policy::{Methods, ModelShape, SampleShape, sample_settings};
use cadre_scheduler::CommonArgs;
use serde_json::{Map, Value};

use super::{ShowArgs, named, sandbox};
use crate::command::Done;
use crate::error::EngineError;
use crate::terminal::Terminal;

pub(super) fn show(args: &ShowArgs, common: &CommonArgs, terminal: &Terminal) -> Done {
    let named = named(&args.file, args.policy.as_deref())?;
    let methods = sandbox(common)?.load(&named.file)?.methods()?;
    let name = named.policy(&methods)?;
    let policy = methods.policy(&name)?.clone();
    terminal.print(declared(&policy).trim_end());
    let refused = |problem: String| EngineError::PolicySettings { policy: name.clone(), problem };
    let given: Map<String, Value> = serde_json::from_str(&args.settings)
        .map_err(|error| refused(format!("they are not a JSON object: {error}")))?;
    let settings = policy.complete(&sample_settings(&policy, &given)).map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        refused(problems.join("; "))
    })?;
    terminal.print(&format!("\nwith {}", Value::Object(settings.clone())));
    let shape = SampleShape {
        rows: args.rows,
        input: args.input,
        output: args.output,
        experts: args.experts,
        rank: args.rank,
        ..SampleShape::default()
    };
    for &hook in &policy.hooks {
        terminal.print(&format!("\n{hook}:\n{}", hook_text(&methods, &policy, hook, &settings, shape)?));
    }
    Ok(())
}

/// A hook's program, or its plan.
fn hook_text(
    methods: &Methods,
    policy: &PolicyDeclaration,
    hook: Hook,
    settings: &Map<String, Value>,
    shape: SampleShape,
) -> Result<String, EngineError> {
    let name = &policy.name;
    if hook == Hook::Schedule {
        let tasks: Vec<String> = (0..3).map(|task| format!("task-{task}")).collect();
        let model = ModelShape { layers: 2, targets: vec!["q".into(), "v".into()] };
        let plan = methods.schedule(name, settings, &tasks, &model, 0)?;
        let lines: Vec<String> =
            tasks.iter().zip(plan).map(|(task, directives)| format!("{task}: {directives:?}")).collect();
        return Ok(lines.join("\n"));
    }
    match methods.sample(policy, hook, settings, shape)? {
        Some(call) => Ok(methods.trace(&call)?.program.to_string()),
        None => Ok(String::new()),
    }
}

/// The declaration as text.
fn declared(policy: &PolicyDeclaration) -> String {
    let mut text = format!("{} ({}): {}\n", policy.name, policy.slot, policy.summary);
    for (what, said) in [("from", &policy.reference), ("reconstruction", &policy.reconstruction)] {
        if !said.is_empty() {
            text.push_str(&format!("  {what}: {said}\n"));
        }
    }
    for (what, names) in [("needs", &policy.needs), ("makes", &policy.makes), ("buffers", &policy.buffers)] {
        if !names.is_empty() {
            text.push_str(&format!("  {what}: {}\n", names.join(", ")));
        }
    }
    for setting in &policy.settings {
        let default = match &setting.default {
            Some(value) => format!("default {value}"),
            None if setting.optional => "optional".to_owned(),
            None => "required".to_owned(),
        };
        text.push_str(&format!(
            "  {}: {}, {default}. {}\n",
            setting.name,
            setting.expectation(),
            setting.doc
        ));
    }
    text
}
