//! The words of the built-in language.

/// Animals in sentences, lists and questions.
pub(super) const ANIMALS: &[&str] =
    &["bird", "cat", "dog", "fish", "horse", "cow", "goat", "mouse", "bear", "wolf"];
/// People in sentences.
pub(super) const PEOPLE: &[&str] = &["man", "woman", "child", "cook", "king", "nurse"];
/// Fruits and vegetables in stories and lists. The plural adds an `s`.
pub(super) const FRUITS: &[&str] = &["apple", "pear", "plum", "lemon", "grape", "melon", "carrot", "onion"];
/// Colours, which also serve as adjectives.
pub(super) const COLOURS: &[&str] = &["red", "blue", "green", "white", "black", "brown"];
/// Other adjectives in sentences.
pub(super) const SIZES: &[&str] = &["small", "big", "old", "young"];
/// Household objects.
pub(super) const THINGS: &[&str] =
    &["book", "lamp", "chair", "table", "cup", "box", "hat", "coin", "key", "ball"];
/// Verbs of sentences: present, past.
pub(super) const VERBS: &[(&str, &str)] = &[
    ("sees", "saw"),
    ("finds", "found"),
    ("hears", "heard"),
    ("likes", "liked"),
    ("wants", "wanted"),
    ("follows", "followed"),
    ("helps", "helped"),
    ("calls", "called"),
    ("knows", "knew"),
    ("paints", "painted"),
];
/// First names.
pub(super) const NAMES: &[&str] = &["Tom", "Ana", "Ben", "Eva", "Max", "Lea", "Sam", "Ida"];
/// Aspects that reviews judge or only mention.
pub(super) const ASPECTS: &[&str] = &[
    "soup", "room", "bed", "garden", "bread", "music", "tea", "film", "song", "price", "view", "staff",
    "door", "train",
];
/// Positive opinion words.
pub(super) const PRAISE: &[&str] =
    &["good", "lovely", "fine", "great", "sweet", "perfect", "nice", "fresh", "superb", "kind"];
/// Negative opinion words.
pub(super) const BLAME: &[&str] =
    &["bad", "awful", "poor", "sad", "dull", "stale", "nasty", "ugly", "broken", "weak"];
/// Words and their opposites.
pub(super) const CONTRARIES: &[(&str, &str)] = &[
    ("good", "bad"),
    ("lovely", "nasty"),
    ("fresh", "stale"),
    ("big", "small"),
    ("old", "young"),
    ("great", "poor"),
    ("black", "white"),
    ("warm", "cold"),
    ("day", "night"),
    ("open", "shut"),
    ("early", "late"),
    ("up", "down"),
];
/// Number words from zero to twelve.
pub(super) const NUMBER_WORDS: &[&str] = &[
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
];
/// Days of the week, in order.
pub(super) const DAYS: &[&str] =
    &["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// The lexicon of Velan, the other language: a translation of every word that a sentence can contain.
pub(super) const VELAN: &[(&str, &str)] = &[
    ("the", "ol"),
    ("a", "un"),
    ("bird", "piru"),
    ("cat", "miva"),
    ("dog", "hanto"),
    ("fish", "sula"),
    ("horse", "karo"),
    ("cow", "muna"),
    ("goat", "beko"),
    ("mouse", "titi"),
    ("bear", "gorda"),
    ("wolf", "lupe"),
    ("man", "omi"),
    ("woman", "ema"),
    ("child", "neni"),
    ("cook", "fogu"),
    ("king", "rexa"),
    ("nurse", "dolu"),
    ("red", "rava"),
    ("blue", "azu"),
    ("green", "veda"),
    ("white", "alba"),
    ("black", "noku"),
    ("brown", "tera"),
    ("small", "pik"),
    ("big", "gran"),
    ("old", "seno"),
    ("young", "jova"),
    ("sees", "vidas"),
    ("finds", "trovas"),
    ("hears", "audas"),
    ("likes", "amas"),
    ("wants", "volas"),
    ("follows", "sekas"),
    ("helps", "helas"),
    ("calls", "vokas"),
    ("knows", "konas"),
    ("paints", "pintas"),
];

/// The Velan word for an English one, or the word itself if the lexicon has none.
pub(super) fn velan(word: &str) -> &str {
    VELAN.iter().find(|(english, _)| *english == word).map_or(word, |(_, velan)| velan)
}
