//! Valid answers. Invalid ones are tested with guests in `tests/answers.rs`.

use cadre_contract::{
    Description, Evidence, Order, Pick, Purpose, Query, Role, RouterProbe, RouterStep, SelectorProbe,
    SelectorStep, Share, Source, SyntheticExample,
};

use super::{description, router_step, selector_step, step_count};

#[test]
fn a_good_description_passes() {
    let said = Description {
        name: "by-length-2".into(),
        version: "1.0.0-beta+7".into(),
        summary: "längste zuerst".into(),
        reference: String::new(),
    };
    assert_eq!(description(&said), Ok(()));
}

#[test]
fn good_steps_pass() {
    let evidence =
        Evidence { query: Query { id: 1, prompt: String::new(), prompt_tokens: 0 }, observations: vec![] };
    let share = |expert, weight| Share { expert, weight };
    for step in [
        RouterStep::Backbone,
        RouterStep::Choose(1),
        RouterStep::Ask(vec![
            RouterProbe::Claim(1),
            RouterProbe::Answer(None),
            RouterProbe::Answer(Some(1)),
            RouterProbe::Task,
        ]),
        RouterStep::Mix(vec![share(0, 0.0), share(1, 3.5)]),
    ] {
        assert_eq!(router_step(&step, &evidence, 2), Ok(()));
    }
    assert_eq!(step_count(3, 3), Ok(()));
}

#[test]
fn good_picks_pass() {
    let order = Order { purpose: Purpose::Compose, role: Role::Negative, task: 2, budget: Some(1), seed: 0 };
    let pick = |source| Pick { source, role: Role::Positive, weight: 0.5 };
    let made_up = SyntheticExample {
        task: 2,
        instruction: String::new(),
        input: String::new(),
        response: String::new(),
    };
    let done = SelectorStep::Done(vec![pick(Source::Synthetic(made_up))]);
    assert_eq!(selector_step(&done, &order, &[], &[]), Ok(()));
    let nothing = SelectorStep::Done(vec![]);
    assert_eq!(selector_step(&nothing, &order, &[], &[]), Ok(()));
    let stranger = SelectorStep::Ask(vec![SelectorProbe::Loss(1)]);
    assert!(selector_step(&stranger, &order, &[], &[]).is_err());
}
