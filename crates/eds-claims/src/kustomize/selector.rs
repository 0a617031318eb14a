//! Label selectors in Kubernetes' one-line form: `a=b,c!=d,e in (f,g),!h`. Source:
//! `k8s.io/apimachinery` 0.34 `pkg/labels/selector.go`.

use serde_json::Value;

/// Reports whether a selector matches these labels. One that cannot be read matches nothing, since
/// Kustomize then builds nothing.
pub(super) fn matches(selector: &str, labels: Option<&Value>) -> bool {
    let label = |key: &str| labels.and_then(|labels| labels.get(key)?.as_str());
    requirements(selector).into_iter().all(|text| holds(text.trim(), &label).unwrap_or_default())
}

/// Splits at the commas outside brackets.
fn requirements(selector: &str) -> Vec<&str> {
    let mut open = 0_usize;
    let parts = selector.split(|c: char| {
        match c {
            '(' => open += 1,
            ')' => open = open.saturating_sub(1),
            _ => {}
        }
        c == ',' && open == 0
    });
    parts.filter(|part| !part.trim().is_empty()).collect()
}

fn holds<'l>(text: &str, of: &dyn Fn(&str) -> Option<&'l str>) -> Option<bool> {
    if let Some(key) = text.strip_prefix('!') {
        return Some(of(key.trim()).is_none());
    }
    if let Some((key, value)) = text.split_once("!=") {
        return Some(of(key.trim()) != Some(value.trim()));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Some(of(key.trim()) == Some(value.trim()));
    }
    let Some(inner) = text.strip_suffix(')') else {
        return (!text.contains(char::is_whitespace)).then(|| of(text).is_some());
    };
    let (before, values) = inner.split_once('(')?;
    let mut words = before.split_whitespace();
    let (key, operator) = (words.next()?, words.next()?);
    let is_one = |label: &str| values.split(',').any(|value| value.trim() == label);
    match operator {
        "in" => Some(of(key).is_some_and(is_one)),
        "notin" => Some(!of(key).is_some_and(is_one)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::matches;
    use serde_json::json;

    #[test]
    fn selectors() {
        let labels = json!({"a": "b", "team": "shop"});
        for (selector, expected) in [
            ("", true),
            ("a=b", true),
            ("a==b, team = shop", true),
            ("a=c", false),
            ("a!=c", true),
            ("a!=b", false),
            ("x!=b", true),
            ("a", true),
            ("x", false),
            ("!x", true),
            ("!a", false),
            ("a in (b,c),team", true),
            ("a in (c, d)", false),
            ("a notin (c)", true),
            ("a notin (b)", false),
            ("x notin (b)", true),
            ("x in (b)", false),
            ("a b", false),
            ("a near (b)", false),
        ] {
            assert_eq!(matches(selector, Some(&labels)), expected, "{selector}");
        }
        assert!(matches("!a", None));
        assert!(!matches("a=b", None));
    }
}
