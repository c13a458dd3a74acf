//! A backbone on its plain device, and what is computed with it without a gradient.

use std::sync::Arc;

use burn::tensor::{DType, Device, Tensor};

use crate::adapter::Mix;
use crate::backbone::{Around, Backbone};
use crate::error::NnError;
use crate::generation::KvCache;
use crate::kernel::linear;
use crate::pass::Pass;
use crate::weights::download;

/// A frozen backbone.
pub(crate) struct Model {
    pub(crate) backbone: Backbone,
    pub(crate) device: Device,
    pub(crate) dtype: DType,
}

impl Model {
    /// The last hidden states of the needed tokens, or of all: [tokens, hidden].
    pub(crate) fn hidden(
        &self,
        pass: &Pass,
        mix: &Mix,
        needed: Option<&Arc<Vec<usize>>>,
        cache: Option<&mut KvCache>,
    ) -> Tensor<2> {
        self.backbone.forward(pass, Around { mix, needed, cache, dropout: None })
    }

    /// Logits of the needed tokens, each over the vocabulary and the added tokens its row's
    /// experts know.
    ///
    /// # Errors
    /// When the backend fails, or a logit is not a number; the row is one of the pass.
    pub(crate) fn logits(
        &self,
        pass: &Pass,
        mix: &Mix,
        needed: &Arc<Vec<usize>>,
        cache: Option<&mut KvCache>,
    ) -> Result<Vec<Vec<f32>>, NnError> {
        let hidden = self.hidden(pass, mix, Some(needed), cache);
        let base = download(linear(hidden.clone(), self.backbone.head()))?;
        let added = match mix.added_head() {
            Some(head) => download(linear(hidden, head))?,
            None => Vec::new(),
        };
        let vocabulary = self.backbone.shape.vocabulary;
        let extra = added.len() / needed.len().max(1);
        let mut rows = Vec::with_capacity(needed.len());
        for (number, (&token, base)) in needed.iter().zip(base.chunks_exact(vocabulary)).enumerate() {
            let row = pass.rows()[token];
            let mut logits = base.to_vec();
            logits.extend(mix.added_logits(row, &added[number * extra..][..extra]));
            if !logits.iter().all(|logit| logit.is_finite()) {
                return Err(NnError::Logits { row });
            }
            rows.push(logits);
        }
        Ok(rows)
    }
}
