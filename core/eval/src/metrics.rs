//! The table of text metrics. A metric compares one prediction with its references.

mod exact_match;
mod rouge_l;
mod rouge_l_google;
mod squad;
mod subsequence;

/// A metric that scores predictions.
#[derive(Debug, Clone, Copy)]
pub struct MetricEntry {
    /// Name in recipes and reports.
    pub name: &'static str,
    /// One sentence that describes it.
    pub doc: &'static str,
    /// Reference of its definition.
    pub reference: &'static str,
    /// (prediction, references) → 0..=1: the best over the references, 0 where there are none.
    pub score: fn(prediction: &str, references: &[String]) -> f64,
}

/// All metrics.
pub const METRICS: &[MetricEntry] = &[
    MetricEntry {
        name: "rouge-l",
        doc: "F of the longest common subsequence of words, numbers and single signs; case counts",
        reference: "SSR (arXiv 2403.01244): jieba tokens, rouge_chinese 1.0.3, here with a regular expression for jieba",
        score: rouge_l::score,
    },
    MetricEntry {
        name: "rouge-l-google",
        doc: "F of the longest common subsequence of lower-cased runs of a-z and 0-9, no stemming",
        reference: "rouge_score (google-research), rougeL, use_stemmer=False",
        score: rouge_l_google::score,
    },
    MetricEntry {
        name: "exact-match",
        doc: "1 where the texts are equal once runs of white space are one space and the ends are trimmed; case and signs count",
        reference: "accuracy of TRACE (arXiv 2310.06762), but white space does not count",
        score: exact_match::score,
    },
    MetricEntry {
        name: "exact-match-squad",
        doc: "1 where the texts are equal in lower case without ASCII punctuation, the words a, an, the, and extra white space",
        reference: "SQuAD 2.0 official evaluation, compute_exact",
        score: squad::exact,
    },
    MetricEntry {
        name: "token-f1",
        doc: "F of the bags of words, in lower case without ASCII punctuation and the words a, an, the",
        reference: "SQuAD 2.0 official evaluation, compute_f1 (two empty answers agree)",
        score: squad::f1,
    },
];

/// The metric of that name.
pub fn metric(name: &str) -> Option<&'static MetricEntry> {
    METRICS.iter().find(|entry| entry.name == name)
}

/// The best of a score over the references.
fn best(references: &[String], score: impl Fn(&str) -> f64) -> f64 {
    references.iter().map(|reference| score(reference)).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests;
