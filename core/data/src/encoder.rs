//! Encodes examples as token ids with a loss mask. All special tokens of a sequence must be added here.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::DataError;
use crate::example::{Example, TurnRole};
use crate::indicator_tokens::IndicatorTokens;
use crate::template::{Rendered, Template};
use crate::token_example::TokenExample;
use crate::tokenizer::Tokenizer;

/// Which part of an example has a loss.
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
        /// Whether the response follows the indicator.
        keep_response: bool,
    },
}

/// Maximum lengths of the parts of a sequence, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EncodingLimits {
    /// Maximum length of the prompt, including the tokens that the tokenizer adds around it; at least 2.
    pub max_prompt: usize,
    /// Maximum length of the response, including the end token but not the indicator; at least 1.
    pub max_response: usize,
}

/// Encodes examples as `prompt [indicator] response <eos>`. The loss begins at the bar:
///
/// * [`Target::Plain`]: `prompt | response <eos>`
/// * [`Target::Accept`]: `prompt | accept response <eos>`
/// * [`Target::Reject`]: `prompt | reject`, or `prompt | reject response <eos>`
///
/// The prompt is encoded by itself, with the tokens that the tokenizer's post-processor adds around a text (for many tokenizers, an opening token); a chat template
/// writes its own special tokens. Generation starts from exactly these ids. The response has the ids that follow the
/// prompt when prompt and response are encoded as one text.
///
/// A prompt longer than `max-prompt` loses the oldest exchanges of its conversation, then the end of its input, then
/// the end of its instruction; a system message and the template's own text stay (with [`Template::Plain`] the prompt
/// is cut at the right, as in SSR). A response that leaves no room for the end token is cut to `max-response` tokens
/// and has no end token, so that the learner is not trained to stop in the middle. (SSR adds an end token there.)
#[derive(Debug, Clone)]
pub struct Encoder {
    tokenizer: Tokenizer,
    template: Template,
    indicators: Option<IndicatorTokens>,
    limits: EncodingLimits,
}

impl Encoder {
    /// Creates an encoder. `indicators` is required if experts claim queries.
    pub fn new(
        tokenizer: Tokenizer,
        template: Template,
        indicators: Option<IndicatorTokens>,
        limits: EncodingLimits,
    ) -> Self {
        Self { tokenizer, template, indicators, limits }
    }

    /// The tokenizer, including indicator tokens if they are new.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The indicator tokens.
    pub fn indicators(&self) -> Option<&IndicatorTokens> {
        self.indicators.as_ref()
    }

    /// Maximum length of a sequence from this encoder, in tokens.
    pub fn longest(&self) -> usize {
        let indicator = self
            .indicators
            .as_ref()
            .map_or(0, |indicators| indicators.accept.len().max(indicators.reject.len()));
        self.limits.max_prompt + indicator + self.limits.max_response
    }

    /// Encodes one example.
    ///
    /// # Errors
    /// A template that does not render, or whose own text exceeds `max-prompt`; a target with an indicator, but no
    /// indicators; text that the tokenizer has no token for.
    pub fn encode(&self, example: &Example, target: Target) -> Result<TokenExample, DataError> {
        self.encode_one(example, target).map_err(|error| located(example, error))
    }

    fn encode_one(&self, example: &Example, target: Target) -> Result<TokenExample, DataError> {
        let Rendered { prompt, response, end } = self.template.render(example)?;
        let ids = self.tokens(&prompt)?;
        let response = self.ended(response, end);
        let response = self.tokenizer.continuation(&prompt, &ids, &response, self.marked())?;
        self.assemble(example, target, ids, (response, end))
    }

    /// Encodes many examples on all cores; the results are the same as those of [`Self::encode`].
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
            responses.push(self.ended(response, end));
            ends.push(end);
        }
        let encoded = self.parts(prompts, responses);
        // A batch error of the tokenizer does not identify the text: encode one by one to find the first that fails.
        let Ok([prompts, responses]) = encoded else {
            return rows.iter().map(|&(example, target)| self.encode(example, target)).collect();
        };
        rows.iter()
            .zip(prompts.into_iter().zip(responses.into_iter().zip(ends)))
            .map(|(&(example, target), (prompt, response))| {
                let made = self.assemble(example, target, prompt, response);
                made.map_err(|error| located(example, error))
            })
            .collect()
    }

    /// Ids of prompts, and of the responses that follow them.
    fn parts(&self, prompts: Vec<String>, responses: Vec<String>) -> Result<[Vec<Vec<u32>>; 2], DataError> {
        let marked = self.marked();
        if self.tokenizer.encodes_apart() {
            let prompts = self.tokenizer.encode_all(prompts, marked)?;
            return Ok([prompts, self.tokenizer.encode_all(responses, marked)?]);
        }
        let ids = self.tokenizer.encode_all(prompts.clone(), marked)?;
        let texts = prompts.par_iter().zip(&ids).zip(&responses);
        let responses: Result<Vec<Vec<u32>>, DataError> = texts
            .map(|((prompt, ids), response)| self.tokenizer.continuation(prompt, ids, response, marked))
            .collect();
        Ok([ids, responses?])
    }

    /// Ids of the prompt from which a response is generated.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn prompt_ids(&self, example: &Example) -> Result<Vec<u32>, DataError> {
        let ids = self.template.prompt(example).and_then(|text| self.tokens(&text));
        ids.and_then(|ids| self.fit_prompt(example, ids)).map_err(|error| located(example, error))
    }

    /// [`Self::prompt_ids`] of many examples, on all cores.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn prompt_ids_all(&self, examples: &[Example]) -> Result<Vec<Vec<u32>>, DataError> {
        let prompts = self.whole_prompts(examples)?;
        let fitted = examples.iter().zip(prompts).map(|(example, prompt)| {
            self.fit_prompt(example, prompt).map_err(|error| located(example, error))
        });
        fitted.collect()
    }

    /// Length of each prompt in tokens before it is cut to `max-prompt`; a longer prompt loses a part.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn whole_prompt_lengths(&self, examples: &[Example]) -> Result<Vec<usize>, DataError> {
        let prompts = self.whole_prompts(examples)?;
        Ok(prompts.into_iter().map(|prompt| self.opened(prompt).len()).collect())
    }

    fn whole_prompts(&self, examples: &[Example]) -> Result<Vec<Vec<u32>>, DataError> {
        let texts =
            examples.iter().map(|example| self.template.prompt(example)).collect::<Result<Vec<_>, _>>()?;
        let each =
            |(example, text): (&Example, &String)| self.tokens(text).map_err(|error| located(example, error));
        match self.tokenizer.encode_all(texts.clone(), self.marked()) {
            Ok(prompts) => Ok(prompts),
            Err(_) => examples.iter().zip(&texts).map(each).collect(),
        }
    }

    fn assemble(
        &self,
        example: &Example,
        target: Target,
        prompt: Vec<u32>,
        (mut response, end): (Vec<u32>, Option<u32>),
    ) -> Result<TokenExample, DataError> {
        if end.is_some() && response.last().copied() == end {
            response.pop();
        }
        let given = self.fit_prompt(example, prompt)?;
        let indicators =
            || self.indicators.as_ref().ok_or_else(|| DataError::NoIndicator { id: example.id.clone() });
        let (mut learnt, answers) = match target {
            Target::Plain => (Vec::new(), true),
            Target::Accept => (indicators()?.accept.clone(), true),
            Target::Reject { keep_response } => (indicators()?.reject.clone(), keep_response),
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

    /// Adds the opening token to a prompt and cuts it to `max-prompt`.
    fn fit_prompt(&self, example: &Example, prompt: Vec<u32>) -> Result<Vec<u32>, DataError> {
        let most = self.limits.max_prompt;
        if matches!(self.template, Template::Plain) {
            return Ok(self.tokenizer.surrounded_within(prompt, most));
        }
        let prompt = self.opened(prompt);
        if prompt.len() <= most {
            return Ok(prompt);
        }
        self.shorten(example, prompt.len())
    }

    /// Renders repeatedly with fewer earlier turns, then less input, then less instruction, until the prompt fits.
    fn shorten(&self, example: &Example, mut length: usize) -> Result<Vec<u32>, DataError> {
        let most = self.limits.max_prompt;
        let mut short = example.clone();
        loop {
            if let Some(oldest) = short.turns.iter().position(|turn| turn.role == TurnRole::User) {
                // A message and its answer.
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
            // A decoder that does not reproduce the text must not prevent termination.
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
        Ok(self.opened(self.tokens(&text)?))
    }

    /// Adds the tokens that the tokenizer puts around a text, unless the template writes them.
    fn opened(&self, prompt: Vec<u32>) -> Vec<u32> {
        if self.marked() { prompt } else { self.tokenizer.surrounded(prompt) }
    }

    /// Appends the end token that the template wrote, because such a token may absorb the blanks before it.
    fn ended(&self, response: String, end: Option<u32>) -> String {
        match end.and_then(|end| self.tokenizer.token(end)) {
            Some(token) => response + &token,
            None => response,
        }
    }

    /// Whether special tokens written out in the template's text are encoded as special tokens.
    fn marked(&self) -> bool {
        self.template.writes_special_tokens()
    }

    fn tokens(&self, text: &str) -> Result<Vec<u32>, DataError> {
        if self.marked() { self.tokenizer.encode_marked(text) } else { self.tokenizer.encode(text) }
    }
}

/// Adds the example to an error of the tokenizer.
fn located(example: &Example, error: DataError) -> DataError {
    match error {
        DataError::Tokenise { .. } | DataError::NoRow { .. } => {
            DataError::Example { id: example.id.clone(), source: Box::new(error) }
        }
        error => error,
    }
}

#[cfg(test)]
mod tests;
