//! Builds templates, encoders and indicator tokens from a stage's work.

use cadre_data::{Encoder, EncodingLimits, Example, IndicatorTokens, Template, Tokenizer};
use cadre_recipe::IndicatorKind;
use cadre_scheduler::{IndicatorWork, PromptWork, TemplateWork, indicator_form};
use cadre_store::FileDigests;

use crate::ensemble::Query;
use crate::error::EngineError;
use crate::planned_files::read_planned;

/// The template of a work. Fails if a template file has changed since the plan was made.
pub(crate) fn template(work: &TemplateWork, tokenizer: &Tokenizer) -> Result<Template, EngineError> {
    Ok(match work {
        TemplateWork::Plain => Template::Plain,
        TemplateWork::Alpaca => Template::Alpaca,
        TemplateWork::Chat => Template::chat(tokenizer)?,
        TemplateWork::File(file) => {
            let read = || Ok(Template::file(&file.path)?);
            read_planned(std::slice::from_ref(file), &FileDigests::in_memory(), read)?
        }
    })
}

/// How examples become tokens in a stage.
pub(crate) struct Encoding {
    /// The encoder, with indicators if there are any.
    pub(crate) encoder: Encoder,
    /// Number of tokens that an expert adds.
    pub(crate) added_tokens: usize,
    template: Template,
}

impl Encoding {
    /// The encoding for a backbone of these sizes. Prompts are cut to `max-prompt` or, if the recipe does not set it,
    /// to what the context leaves after `response` tokens and the indicator.
    pub(crate) fn new(
        tokenizer: &Tokenizer,
        vocabulary: usize,
        context: usize,
        prompt: &PromptWork,
        indicator: Option<&IndicatorWork>,
        response: usize,
    ) -> Result<Self, EngineError> {
        let template = template(&prompt.template, tokenizer)?;
        let rows = u32::try_from(vocabulary).unwrap_or(u32::MAX);
        let (tokenizer, indicators) = match indicator {
            None => (tokenizer.with_rows(rows)?, None),
            Some(IndicatorWork { accept, reject, kind }) => {
                let (tokenizer, indicators) =
                    IndicatorTokens::new(tokenizer, indicator_form(*kind), accept, reject, rows)?;
                (tokenizer, Some(indicators))
            }
        };
        let marks =
            indicators.as_ref().map_or(0, |indicators| indicators.accept.len().max(indicators.reject.len()));
        let room = context.saturating_sub(response + marks);
        let wanted = prompt.max_prompt.map_or(room, |max| max as usize);
        // A checkpoint's context is only known here; the recipe's own backbones were checked with the recipe.
        let max_prompt = wanted.min(room);
        if max_prompt < 2 {
            return Err(EngineError::NoRoom { context, response });
        }
        let limits = EncodingLimits { max_prompt, max_response: response };
        let added_tokens = match indicator.map(|indicator| indicator.kind) {
            Some(IndicatorKind::NewToken) => 2,
            _ => 0,
        };
        Ok(Self {
            encoder: Encoder::new(tokenizer, template.clone(), indicators, limits),
            added_tokens,
            template,
        })
    }

    /// Examples as queries, numbered from 0. `expert` returns the expert that learned an example's task.
    pub(crate) fn queries(
        &self,
        examples: &[Example],
        expert: &dyn Fn(usize) -> Option<u32>,
    ) -> Result<Vec<Query>, EngineError> {
        let ids = self.encoder.prompt_ids_all(examples)?;
        let queries = examples.iter().zip(ids).enumerate();
        queries
            .map(|(index, (example, ids))| {
                Ok(Query::new(index as u64, self.template.prompt(example)?, ids, expert(index)))
            })
            .collect()
    }
}
