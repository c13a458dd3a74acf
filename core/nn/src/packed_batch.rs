//! The tokens of one forward pass: sequences end to end, where each begins, and where its tokens
//! stand. It holds no tensor.

use std::sync::Arc;

use crate::kernel::Segment;

/// Tokens of several rows, end to end without padding.
#[derive(Clone, Debug)]
pub(crate) struct PackedBatch {
    ids: Arc<Vec<usize>>,
    positions: Arc<Vec<usize>>,
    rows: Arc<Vec<usize>>,
    segments: Arc<Vec<Segment>>,
}

impl PackedBatch {
    /// Rows of ids, each with the number of its tokens that are in the cache already.
    pub(crate) fn new<'a>(rows: impl IntoIterator<Item = (&'a [u32], usize)>) -> Self {
        let (mut ids, mut positions, mut row_of, mut segments) = (vec![], vec![], vec![], vec![]);
        for (row, (tokens, cached)) in rows.into_iter().enumerate() {
            segments.push(Segment { start: ids.len(), length: tokens.len() });
            ids.extend(tokens.iter().map(|&id| id as usize));
            positions.extend(cached..cached + tokens.len());
            row_of.extend(std::iter::repeat_n(row, tokens.len()));
        }
        Self {
            ids: Arc::new(ids),
            positions: Arc::new(positions),
            rows: Arc::new(row_of),
            segments: Arc::new(segments),
        }
    }

    /// Token ids; those from the vocabulary on are added tokens.
    pub(crate) fn indices(&self) -> &Arc<Vec<usize>> {
        &self.ids
    }

    /// Place of each token in its row.
    pub(crate) fn positions(&self) -> &Arc<Vec<usize>> {
        &self.positions
    }

    /// Row of each token.
    pub(crate) fn rows(&self) -> &Arc<Vec<usize>> {
        &self.rows
    }

    /// Where each row lies.
    pub(crate) fn segments(&self) -> &Arc<Vec<Segment>> {
        &self.segments
    }

    /// Index of the last token of each row.
    pub(crate) fn last_tokens(&self) -> Arc<Vec<usize>> {
        Arc::new(self.segments.iter().map(|segment| segment.start + segment.length - 1).collect())
    }
}
