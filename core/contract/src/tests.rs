//! `CONTRACT_VERSION` matches the version in the WIT text.

use crate::{CONTRACT_VERSION, Claim, Evidence, Query, RouterFinding, RouterObservation, RouterProbe, WIT};

#[test]
fn the_wit_text_contains_the_version() {
    assert!(WIT.contains(&format!("package cadre:policy@{CONTRACT_VERSION};")));
}

#[test]
fn evidence_round_trips() -> Result<(), serde_json::Error> {
    let evidence = Evidence {
        query: Query { id: 7, prompt: "sort: 3 1 2".into(), prompt_tokens: 5 },
        observations: vec![
            RouterObservation {
                probe: RouterProbe::Claim(2),
                finding: RouterFinding::Claim(Claim { accept: 0.25, reject: 0.5 }),
            },
            RouterObservation { probe: RouterProbe::Task, finding: RouterFinding::Task(None) },
        ],
    };
    let text = serde_json::to_string(&evidence)?;
    assert_eq!(
        text,
        r#"{"query":{"id":7,"prompt":"sort: 3 1 2","prompt-tokens":5},"observations":[{"probe":{"claim":2},"finding":{"claim":{"accept":0.25,"reject":0.5}}},{"probe":"task","finding":{"task":null}}]}"#
    );
    assert_eq!(serde_json::from_str::<Evidence>(&text)?, evidence);
    Ok(())
}
