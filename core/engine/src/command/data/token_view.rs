//! Renders a tokenised example for the terminal: tokens with and without loss, legible without colours.

use anstyle::{AnsiColor, Style};
use cadre_data::{ShownToken, Target};

/// Style of headings.
pub(super) const HEAD: Style = Style::new().bold();
/// Style of less important text.
pub(super) const DIM: Style = Style::new().dimmed();
/// Style of tokens with loss.
pub(super) const LEARNED: Style = AnsiColor::Green.on_default().bold();
/// Style of the rejecting indicator.
const REJECTED: Style = AnsiColor::Red.on_default().bold();

/// Legend for the marks.
pub(super) const LEGEND: &str = "│ separates tokens; ⟦ ⟧ encloses tokens with loss";

/// The tokens, separated by bars, with brackets around those with loss.
pub(super) fn tokens(shown: &[ShownToken], target: Target) -> String {
    let learned = match target {
        Target::Reject { .. } => REJECTED,
        Target::Plain | Target::Accept => LEARNED,
    };
    let mut text = String::new();
    let mut before: Option<&ShownToken> = None;
    for (index, token) in shown.iter().enumerate() {
        let was = before.is_some_and(|before| before.in_loss);
        match (was, token.in_loss) {
            (false, true) => text.push_str(&format!("{learned}⟦{learned:#}")),
            (true, false) => text.push_str(&format!("{learned}⟧{learned:#}")),
            _ if before.is_some() => text.push_str(&format!("{DIM}│{DIM:#}")),
            _ => {}
        }
        // Alternate the style, so that neighbours differ even if a bar also occurs in the text.
        let plain = if index % 2 == 0 { Style::new() } else { DIM };
        let style = if token.in_loss { learned } else { plain };
        let visible = token.text.replace('\n', "↵\n");
        text.push_str(&format!("{style}{visible}{style:#}"));
        before = Some(token);
    }
    if before.is_some_and(|before| before.in_loss) {
        text.push_str(&format!("{learned}⟧{learned:#}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;
    use cadre_data::{ShownToken, Target};

    use super::tokens;

    fn shown(texts: &[(&str, bool)]) -> Vec<ShownToken> {
        let token = |(text, in_loss): &(&str, bool)| ShownToken {
            text: (*text).to_owned(),
            id: 0,
            in_loss: *in_loss,
        };
        texts.iter().map(token).collect()
    }

    #[test]
    fn tokens_with_loss_are_in_brackets_even_without_colours() {
        let row = shown(&[("sort", false), (" 3", false), ("<accept>", true), (" 3", true), ("<eos>", true)]);
        let text = tokens(&row, Target::Accept);
        assert_eq!(strip_str(&text).to_string(), "sort│ 3⟦<accept>│ 3│<eos>⟧");
        assert!(text.contains("\x1b[32m") || text.contains("\x1b[1m"), "{text:?}");
    }

    #[test]
    fn loss_may_end_before_the_row_does() {
        let row = shown(&[("a", true), ("b", false), ("\n", false)]);
        assert_eq!(strip_str(&tokens(&row, Target::Plain)).to_string(), "⟦a⟧b│↵\n");
        assert_eq!(tokens(&[], Target::Plain), "");
    }

    #[test]
    fn accepting_and_rejecting_look_different() {
        let row = shown(&[("<reject>", true)]);
        assert_ne!(tokens(&row, Target::Reject { keep_response: false }), tokens(&row, Target::Accept));
    }
}
