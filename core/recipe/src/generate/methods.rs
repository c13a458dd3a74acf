//! The page of methods: every policy of the shipped collections with its settings, from their declarations.

use std::fmt::Write as _;
use std::path::Path;

use cadre_contract::{PolicyDeclaration, Slot};

use crate::check::plugin_catalog::PluginCatalog;

const HEAD: &str = "# Methods

Generated from the declarations in the shipped collections by `cargo xtask generate`; do not edit.

A method computes with tensors: its hooks are called once with symbolic tensors, and the program that they describe runs in Cadre with gradients where they are wanted ([your first gate](first-gate.md), [architecture](../ARCHITECTURE.md)). It is a policy of a collection, a WebAssembly component; `cadre plugin show NAME` prints its settings and programs.

**What recipes can name so far:** merges, as `[routing] merge = { plugin = \"ties\", … }` instead of a router; `recipes/methods` has a recipe for each. The other methods are complete as policies and held to their cases, but `[expert]` and `[routing]` have no keys for gates, objectives, updates, transforms, decoders and schedules yet.

";

const CASES: &str = "
## Cases

Every method is held to the cases of a reference implementation, outputs and gradients, through its component:

```
cadre plugin check ties --cases golden.json
```

A file of cases is JSON: `{\"tolerance_f32\": t, \"cases\": [{\"name\", \"seed\", \"settings\", \"inputs\", \"outputs\", \"gradients\"}]}`. An array is `{\"shape\": […], \"data\": […]}`, row-major; lists and tables of arrays get names like `deltas/0` and `tree/leaf`. A case passes if |got − want| ≤ t · max(1, |want|) for every number; truth values must be equal. Gradients are those of the loss that the method's `play_case` returns, with respect to the inputs that they are named after. If a case fails, the exit code is 1 and the worst difference is printed with its place.
";

/// The page as Markdown, for the collections in these folders.
pub fn methods_markdown(plugins: &Path) -> String {
    let catalog = PluginCatalog::scan(&[plugins.to_owned()]);
    let mut text = HEAD.to_owned();
    text.push_str("| method | where | hooks | paper | reconstruction |\n|---|---|---|---|---|\n");
    let all = || Slot::ALL.into_iter().flat_map(|slot| catalog.of_slot(slot)).map(|(_, policy)| policy);
    for policy in all() {
        let hooks: Vec<String> = policy.hooks.iter().map(ToString::to_string).collect();
        let _ = writeln!(
            text,
            "| [{name}](#{name}) | {} | {} | {} | {} |",
            policy.slot,
            hooks.join(", "),
            policy.reference,
            policy.reconstruction,
            name = policy.name,
        );
    }
    for policy in all() {
        let _ = write!(text, "\n### {}\n\n{}: {}.\n", policy.name, policy.slot, policy.summary);
        for (what, names) in [
            ("Reads side tensors", &policy.needs),
            ("Makes side tensors", &policy.makes),
            ("Keeps buffers", &policy.buffers),
        ] {
            if !names.is_empty() {
                let _ = write!(text, "\n{what}: {}.\n", names.join(", "));
            }
        }
        settings(&mut text, policy);
    }
    text.push_str(CASES);
    text
}

fn settings(text: &mut String, policy: &PolicyDeclaration) {
    if policy.settings.is_empty() {
        return;
    }
    text.push_str("\n| setting | takes | default | meaning |\n|---|---|---|---|\n");
    for setting in &policy.settings {
        let default = match &setting.default {
            Some(value) => format!("`{value}`"),
            None if setting.optional => String::new(),
            None => "required".to_owned(),
        };
        let _ = writeln!(
            text,
            "| `{}` | {} | {default} | {} |",
            setting.name,
            setting.expectation(),
            setting.doc
        );
    }
}
