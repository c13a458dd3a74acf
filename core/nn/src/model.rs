//! A frozen backbone on its device, and computations without gradients.

use std::sync::Arc;

use burn::tensor::{DType, Device, Tensor};

use crate::adapter::Mix;
use crate::backbone::{Backbone, PassContext};
use crate::error::NnError;
use crate::generation::KvCache;
use crate::kernel::linear_by_row;
use crate::packed_batch::PackedBatch;
use crate::projection::Products;
use crate::weights::download;

/// Maximum number of logits in memory at once.
const LOGITS: usize = 1 << 22;

/// A frozen backbone.
pub(crate) struct Model {
    pub(crate) backbone: Backbone,
    pub(crate) device: Device,
    /// Number type of activations and of mounted adapters.
    pub(crate) dtype: DType,
}

impl Model {
    /// The last hidden states, `[tokens, hidden]`, of the needed tokens or of all.
    pub(crate) fn hidden(
        &self,
        pass: &PackedBatch,
        mix: &Mix,
        needed: Option<&Arc<Vec<usize>>>,
        cache: Option<&mut KvCache>,
    ) -> Tensor<2> {
        self.backbone.forward(pass, PassContext { mix, needed, cache, products: Products::ByRow })
    }

    /// Calls `each` for every needed token, in order, with its index and its logits: one for each id of the vocabulary
    /// and for each token that its row's experts add. Only one block of tokens has logits in memory at a time.
    ///
    /// # Errors
    /// The backend failed, or a logit is not finite; the error's row counts within the packed batch.
    pub(crate) fn logits(
        &self,
        pass: &PackedBatch,
        mix: &Mix,
        needed: &Arc<Vec<usize>>,
        cache: Option<&mut KvCache>,
        each: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), NnError> {
        let all = self.hidden(pass, mix, Some(needed), cache);
        let vocabulary = self.backbone.shape.vocabulary;
        let block_rows = (LOGITS / vocabulary).max(16);
        let mut row_logits = Vec::with_capacity(vocabulary);
        for first in (0..needed.len()).step_by(block_rows) {
            let block = block_rows.min(needed.len() - first);
            let hidden = all.clone().narrow(0, first, block);
            let base = download(linear_by_row(hidden.clone(), self.backbone.head()))?;
            let added = match mix.added_head() {
                Some(head) => download(linear_by_row(hidden, head))?,
                None => Vec::new(),
            };
            let extra = added.len() / block;
            for (number, base) in base.chunks_exact(vocabulary).enumerate() {
                let row = pass.rows()[needed[first + number]];
                row_logits.clear();
                row_logits.extend_from_slice(base);
                row_logits.extend(mix.added_logits(row, &added[number * extra..][..extra]));
                if !row_logits.iter().all(|logit| logit.is_finite()) {
                    return Err(NnError::Logits { row });
                }
                each(first + number, &row_logits);
            }
        }
        Ok(())
    }
}
