//! Examples to token ids with their loss mask. Puts in every special token itself; never draws and never batches.

use serde::{Deserialize, Serialize};

use crate::error::DataError;
use crate::example::{Example, TurnRole};
use crate::marking::Marking;
use crate::template::{Rendered, Template};
use crate::token_example::TokenExample;
use crate::tokenizer::Tokenizer;

/// What is learnt of an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The response.
    Plain,
    /// The accepting indicator, then the response.
    Accept,
    /// The rejecting indicator, alone or with the response after it.
    #[serde(rename_all = "kebab-case")]
    Reject {
        /// Whether the response follows.
        keep_response: bool,
    },
}

/// Longest parts of a sequence, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EncodingLimits {
    /// Longest prompt, the opening token counted; at least 2.
    pub max_prompt: usize,
    /// Longest response, the end token counted, the indicator not; at least 1.
    pub max_response: usize,
}

/// Encodes examples as `<bos> prompt [indicator] response <eos>`, with the loss on what follows the prompt.
///
/// * [`Target::Plain`]: `<bos> prompt | response <eos>`
/// * [`Target::Accept`]: `<bos> prompt | accept response <eos>`
/// * [`Target::Reject`]: `<bos> prompt | reject`, or `<bos> prompt | reject response <eos>`
///
/// The loss is on everything after the bar and on nothing before it. `<bos>` stands only where the tokenizer has one,
/// and never where a chat template writes its own. Prompt and response are tokenised apart, so that a generation
/// starts from exactly the ids that were trained on.
///
/// A prompt longer than `max-prompt` loses the oldest exchanges of its conversation, then the end of its input, then of
/// its instruction; a system message and what the template puts around them stay (with [`Template::Plain`] this is a
/// cut at the right, as in SSR). A response that leaves no room
/// for the end token is cut to `max-response` tokens and has no end token: the learner is not taught to stop in
/// the middle. (SSR ends it there.)
#[derive(Debug, Clone)]
pub struct Encoder {
    tokenizer: Tokenizer,
    template: Template,
    marking: Option<Marking>,
    limits: EncodingLimits,
}

impl Encoder {
    /// An encoder; `marking` where experts claim.
    pub fn new(
        tokenizer: Tokenizer,
        template: Template,
        marking: Option<Marking>,
        limits: EncodingLimits,
    ) -> Self {
        Self { tokenizer, template, marking, limits }
    }

    /// The tokenizer, with the indicator tokens if they are new.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The indicator ids.
    pub fn marking(&self) -> Option<&Marking> {
        self.marking.as_ref()
    }

    /// Longest sequence this encoder makes, in tokens.
    pub fn longest(&self) -> usize {
        let indicator =
            self.marking.as_ref().map_or(0, |marking| marking.accept.len().max(marking.reject.len()));
        self.limits.max_prompt + indicator + self.limits.max_response
    }

    /// One example.
    ///
    /// # Errors
    /// A template that does not render, or alone exceeds `max-prompt`; a marked target without indicators; text the
    /// tokenizer has no token for.
    pub fn encode(&self, example: &Example, target: Target) -> Result<TokenExample, DataError> {
        let rendered = self.template.render(example)?;
        let marked = self.template.writes_special_tokens();
        let prompt = self.tokens(&rendered.prompt, marked)?;
        let response = self.tokens(&rendered.response, marked)?;
        self.assemble(example, target, prompt, (response, rendered.end))
    }

    /// Many examples, on all cores; the same as [`Self::encode`] of each.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_all(&self, rows: &[(&Example, Target)]) -> Result<Vec<TokenExample>, DataError> {
        let mut prompts = Vec::with_capacity(rows.len());
        let mut responses = Vec::with_capacity(rows.len());
        let mut ends = Vec::with_capacity(rows.len());
        for (example, _) in rows {
            let Rendered { prompt, response, end } = self.template.render(example)?;
            prompts.push(prompt);
            responses.push(response);
            ends.push(end);
        }
        let marked = self.template.writes_special_tokens();
        let prompts = self.tokenizer.encode_all(prompts, marked)?;
        let responses = self.tokenizer.encode_all(responses, marked)?;
        rows.iter()
            .zip(prompts.into_iter().zip(responses.into_iter().zip(ends)))
            .map(|(&(example, target), (prompt, response))| self.assemble(example, target, prompt, response))
            .collect()
    }

    /// Ids from which a response is generated: `<bos> prompt`.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn prompt_ids(&self, example: &Example) -> Result<Vec<u32>, DataError> {
        let text = self.template.prompt(example)?;
        let prompt = self.tokens(&text, self.template.writes_special_tokens())?;
        self.fit_prompt(example, prompt)
    }

    /// [`Self::prompt_ids`] of many examples, on all cores.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn prompt_ids_all(&self, examples: &[Example]) -> Result<Vec<Vec<u32>>, DataError> {
        let texts =
            examples.iter().map(|example| self.template.prompt(example)).collect::<Result<Vec<_>, _>>()?;
        let prompts = self.tokenizer.encode_all(texts, self.template.writes_special_tokens())?;
        examples.iter().zip(prompts).map(|(example, prompt)| self.fit_prompt(example, prompt)).collect()
    }

    fn assemble(
        &self,
        example: &Example,
        target: Target,
        prompt: Vec<u32>,
        (response, end): (Vec<u32>, Option<u32>),
    ) -> Result<TokenExample, DataError> {
        let given = self.fit_prompt(example, prompt)?;
        let marking =
            || self.marking.as_ref().ok_or_else(|| DataError::NoIndicator { id: example.id.clone() });
        let (mut learnt, answers) = match target {
            Target::Plain => (Vec::new(), true),
            Target::Accept => (marking()?.accept.clone(), true),
            Target::Reject { keep_response } => (marking()?.reject.clone(), keep_response),
        };
        let indicator = learnt.len();
        if answers {
            let most = self.limits.max_response;
            learnt.extend(response.iter().take(most));
            if response.len() < most {
                learnt.push(end.unwrap_or(self.tokenizer.eos()));
            }
        }
        Ok(TokenExample::new(given, &learnt).with_indicator(indicator))
    }

    /// Opening token and prompt, cut to `max-prompt`.
    fn fit_prompt(&self, example: &Example, prompt: Vec<u32>) -> Result<Vec<u32>, DataError> {
        let prompt = self.opened(prompt);
        let most = self.limits.max_prompt;
        if prompt.len() <= most {
            return Ok(prompt);
        }
        if matches!(self.template, Template::Plain) {
            let mut prompt = prompt;
            prompt.truncate(most);
            return Ok(prompt);
        }
        self.shorten(example, prompt.len())
    }

    /// Renders again with less of what was said before, of the input, then of the instruction, until the prompt fits.
    fn shorten(&self, example: &Example, mut length: usize) -> Result<Vec<u32>, DataError> {
        let most = self.limits.max_prompt;
        let mut short = example.clone();
        loop {
            if let Some(oldest) = short.turns.iter().position(|turn| turn.role == TurnRole::User) {
                // The message and its answer.
                short.turns.drain(oldest..(oldest + 2).min(short.turns.len()));
                let prompt = self.opened_prompt(&short)?;
                if prompt.len() <= most {
                    return Ok(prompt);
                }
                length = prompt.len();
                continue;
            }
            let field = if short.input.is_empty() { &mut short.instruction } else { &mut short.input };
            if field.is_empty() {
                return Err(DataError::TemplateTooLong { name: self.template.name(), tokens: length, most });
            }
            let ids = self.tokenizer.encode(field)?;
            let keep = ids.len().saturating_sub((length - most).max(1));
            let kept = self.tokenizer.decode(&ids[..keep])?;
            let kept = kept.trim_end_matches('\u{FFFD}');
            // A decoder that does not give the text back must not keep this from ending.
            *field = if kept.len() < field.len() { kept.to_owned() } else { String::new() };
            let prompt = self.opened_prompt(&short)?;
            if prompt.len() <= most {
                return Ok(prompt);
            }
            length = prompt.len();
        }
    }

    fn opened_prompt(&self, example: &Example) -> Result<Vec<u32>, DataError> {
        let text = self.template.prompt(example)?;
        Ok(self.opened(self.tokens(&text, self.template.writes_special_tokens())?))
    }

    fn opened(&self, mut prompt: Vec<u32>) -> Vec<u32> {
        if let (false, Some(bos)) = (self.template.writes_special_tokens(), self.tokenizer.bos()) {
            prompt.insert(0, bos);
        }
        prompt
    }

    fn tokens(&self, text: &str, marked: bool) -> Result<Vec<u32>, DataError> {
        if marked { self.tokenizer.encode_marked(text) } else { self.tokenizer.encode(text) }
    }
}

#[cfg(test)]
mod tests;
