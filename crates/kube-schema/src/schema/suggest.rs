//! "Did you mean …?"

use crate::characters;

/// Returns the candidate nearest to what was written, if one is near: at most a third of its
/// letters differ, with a swap of neighbours counting once (optimal string alignment).
#[must_use]
pub fn nearest<'a>(written: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Nobody mistypes a name this long; comparing it would only take time.
    if written.len() > 64 {
        return None;
    }
    let plain = |s: &str| s.replace(['-', '_'], "").to_lowercase();
    let wanted = plain(written);
    candidates
        .map(|candidate| (distance(&wanted, &plain(candidate)), candidate))
        .filter(|(d, candidate)| *d <= (candidate.len().max(3) / 3))
        .min_by_key(|(d, _)| *d)
        .map(|(_, candidate)| candidate)
}

/// Counts the letters in which two texts differ; a swap of neighbours is one.
#[must_use]
pub fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = vec![0_usize; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let cost_at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            let mut best = (cost_at(&last, j) + usize::from(x != y))
                .min(cost_at(&last, j + 1) + 1)
                .min(cost_at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(cost_at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}

/// Reports whether two names differ only in case, dashes and underscores.
#[must_use]
pub fn same_name(a: &str, b: &str) -> bool {
    let plain = |name: &str| -> String {
        let seen = characters::visible(name);
        seen.chars().filter(|c| !matches!(c, '-' | '_')).flat_map(char::to_lowercase).collect()
    };
    plain(a) == plain(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(written: &str, candidates: &[&str], expected: Option<&str>) {
        assert_eq!(nearest(written, candidates.iter().copied()), expected, "{written}");
    }

    #[test]
    fn near_and_far() {
        check("medum", &["small", "medium", "large"], Some("medium"));
        check("samll", &["small", "medium", "large"], Some("small"));
        check("huge", &["small", "medium", "large"], None);
        check("secret_refs", &["secretRefs", "env"], Some("secretRefs"));
        check("SecretRef", &["secretRefs", "env"], Some("secretRefs"));
        check("x", &["y"], Some("y"));
        check("", &["stream"], None);
        check(&"a".repeat(100_000), &["aaa"], None);
    }
}
