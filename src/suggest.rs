//! The near miss: what somebody who mistyped a name probably meant.

/// The candidate nearest to `name`, if one is near enough to be a typing error.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (likeness(&fold(name), &fold(candidate)), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        // The first of equals, so that messages do not depend on the order of iteration.
        .reduce(|best, other| if other.0 > best.0 { other } else { best })
        .map(|(_, candidate)| candidate)
}

/// `; did you mean "…"?` for the nearest candidate, or nothing.
pub fn near<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, candidates).map_or_else(String::new, |candidate| format!("; did you mean \"{candidate}\"?"))
}

/// From 0 to 1. One slip of the finger counts as near in short names too, where Jaro and Winkler's measure is harsh,
/// and so do the consonants of a name for it: `cnt` for `count`.
fn likeness(name: &str, candidate: &str) -> f64 {
    let is_slip = name.len() > 2 && strsim::osa_distance(name, candidate) <= 1;
    let is_short_for = |name: &str, candidate: &str| {
        let is_vowel = |c: char| matches!(c, 'a' | 'e' | 'i' | 'o' | 'u');
        let consonants = |name: &str| name.chars().filter(|c| !is_vowel(*c)).collect::<String>();
        name.len() > 1 && name == consonants(candidate) && name.chars().next() == candidate.chars().next()
    };
    match is_slip || is_short_for(name, candidate) {
        true => strsim::jaro_winkler(name, candidate).max(0.9),
        false => strsim::jaro_winkler(name, candidate),
    }
}

/// Case and separators are what people get wrong most.
fn fold(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
