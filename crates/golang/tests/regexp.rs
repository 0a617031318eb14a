//! What a regexp may cost, counted: bytes of the compiled pattern, and how often a match asks
//! whether to go on, which is once per unit of work.
#![cfg(test)]

use std::cell::Cell;

use golang::regexp;

/// Checks that the pattern uses no more bytes, and a match of the text asks no more often.
fn check(pattern: &str, text: &str, bytes: usize, questions: usize) {
    let regexp = regexp::compile(pattern).unwrap();
    assert!(regexp.own_bytes() <= bytes, "{pattern:.40}: {} bytes", regexp.own_bytes());
    let asked = Cell::new(0);
    let go_on = || {
        asked.set(asked.get() + 1);
        true
    };
    regexp.matches(text, &go_on).unwrap();
    assert!(asked.get() <= questions, "{pattern:.40}: asked {} times", asked.get());
    // Where there is a lot to do, it asks often enough to be stopped.
    if questions > 10 {
        assert!(asked.get() > questions / 10, "{pattern:.40}: asked {} times", asked.get());
        let patience = Cell::new(2);
        let stop = || patience.replace(patience.get() - 1) > 0;
        assert_eq!(regexp.matches(text, &stop), Err(regexp::Stopped));
    }
}

#[test]
fn classes_cost_what_they_look_like() {
    let text = "Größe und Länge".repeat(8);
    check(r"\pL{1000}", &text, 16 << 10, 10);
    check(r"^[\p{L}\p{N}]{1,255}$", &text, 16 << 10, 10);
    check(r"(\pL|\pN|\p{Greek}){300}", &text, 64 << 10, 10);
    check(r"(?i)^\p{Lu}[\pL\pM\pN_]{0,400}$", &text, 16 << 10, 10);
    check(r"[^\pL]{1000}", &"1".repeat(2000), 16 << 10, 400);
    // Linear in the text, whatever the pattern.
    for length in [10_000, 100_000] {
        check(r"(?:a*)*b", &"a".repeat(length), 2 << 10, length / 50);
        check(r"(?:.{0,100}x){3}", &"é".repeat(length), 8 << 10, length / 5);
    }
}

#[test]
fn many_small_ones_are_small() {
    let patterns = (0..2000).map(|i| format!(r"^\p{{L}}+{i}[\p{{Greek}}\p{{N}}]$"));
    let bytes: usize = patterns.map(|it| regexp::compile(&it).unwrap().own_bytes()).sum();
    assert!(bytes < 2 << 20, "{bytes}");
}

#[test]
fn what_takes_megabytes_is_refused() {
    for pattern in [".{1000}".repeat(60), r"(?:\pL{0,500}){2}".repeat(60), "(?:a|b)".repeat(20_000)]
    {
        let refused = regexp::compile(&pattern).unwrap_err();
        assert!(refused.contains("expression too large"), "{refused:.200}");
    }
    assert!(regexp::compile(&".{1000}".repeat(40)).unwrap().own_bytes() < 1 << 20);
}
