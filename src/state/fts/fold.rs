//! Folds texts into one form, for the full-text index and for searches alike. Pure.
//!
//! - Case, accents and character width are removed: `Łódź` becomes `lodz`, `Straße` `strasse`, `ещё` `еще`, `Αθήνα`
//!   `αθηνα`. A small table has the letters that Unicode does not decompose.
//! - Scripts without spaces between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese), and Korean, whose words take
//!   endings, are indexed as pairs: `東京都` as `東京 京都 都`. So a search for two adjacent characters finds them
//!   anywhere; the single character at the end serves searches for one.
//! - The index splits the rest into words at everything that is not a letter, digit or mark.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{decompose_compatible, is_combining_mark};

/// A folded search phrase.
pub(crate) struct FoldedPhrase {
    pub(crate) text: String,
    /// The last word is one character of a script without spaces, so any pair that begins with it matches.
    pub(crate) is_prefix: bool,
}

/// Folds a text for the index. ASCII is returned unchanged, because the index itself ignores its case.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut folded = String::with_capacity(text.len() + text.len() / 2);
    in_pairs(&letters(text), &mut folded);
    Cow::Owned(folded)
}

/// Folds adjacent words of a search.
pub(crate) fn phrase(words: &str) -> FoldedPhrase {
    let folded = letters(words);
    let words = folded.trim_end_matches(|c| !is_part_of_word(c));
    let mut text = String::with_capacity(words.len() * 2);
    let last_run = in_pairs(words, &mut text);
    if last_run >= 2 {
        // In the text another character may follow the last one.
        let pairs = text.trim_end().rfind(' ').unwrap_or(text.len());
        text.truncate(pairs);
    }
    FoldedPhrase {
        // Folding makes no quotes, but a quote would end the phrase.
        text: text.replace('"', " ").trim().to_owned(),
        is_prefix: last_run == 1,
    }
}

/// Returns the text in lower case without accents.
fn letters(text: &str) -> String {
    let mut letters = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            letters.push(c.to_ascii_lowercase());
        } else if is_part_of_word(c) {
            decompose_compatible(c, |part| push_folded(part, &mut letters));
        } else if !is_removed(c) {
            // A symbol is kept: decomposed, `™` would be two letters of the word before it.
            letters.push(c);
        }
    }
    match letters.is_ascii() {
        true => letters,
        // Recomposes marks that are more than accents, as in が and 한.
        false => letters.nfc().collect(),
    }
}

fn push_folded(c: char, folded: &mut String) {
    if is_removed(c) {
        return;
    }
    for c in c.to_lowercase() {
        match replacement(c) {
            Some(letters) => folded.push_str(letters),
            None => folded.push(c),
        }
    }
}

/// Appends the text, in pairs where its script has no spaces. Returns the length of such a run at its end.
fn in_pairs(text: &str, out: &mut String) -> usize {
    let mut before = None;
    let mut run = 0;
    for c in text.chars() {
        let is_in_run = is_without_spaces(c);
        if let Some(first) = before {
            out.push(first);
            match is_in_run {
                true => out.extend([c, ' ']),
                false => out.push(' '),
            }
        } else if is_in_run {
            out.push(' ');
        }
        if is_in_run {
            (before, run) = (Some(c), run + 1);
        } else {
            (before, run) = (None, 0);
            out.push(c);
        }
    }
    out.extend(before);
    run
}

fn is_part_of_word(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c)
}

fn is_in(c: char, ranges: &[RangeInclusive<u32>]) -> bool {
    ranges.iter().any(|range| range.contains(&u32::from(c)))
}

/// Returns whether folding removes the character: accents of Latin, Greek and Cyrillic, points of Hebrew, vowel signs of
/// Arabic, and zero-width characters. Vowels of Indic scripts and voice marks of Japanese stay, because they
/// distinguish words.
fn is_removed(c: char) -> bool {
    const MARKS: [RangeInclusive<u32>; 26] = [
        0xAD..=0xAD,
        0x2BB..=0x2BF,
        0x300..=0x36F,
        0x483..=0x489,
        0x591..=0x5BD,
        0x5BF..=0x5BF,
        0x5C1..=0x5C2,
        0x5C4..=0x5C5,
        0x5C7..=0x5C7,
        0x610..=0x61A,
        0x640..=0x640,
        0x64B..=0x65F,
        0x670..=0x670,
        0x6D6..=0x6DC,
        0x6DF..=0x6E4,
        0x6E7..=0x6E8,
        0x6EA..=0x6ED,
        0x1AB0..=0x1AFF,
        0x1DC0..=0x1DFF,
        0x200B..=0x200F,
        0x202A..=0x202E,
        0x2060..=0x2064,
        0x20D0..=0x20FF,
        0xFE00..=0xFE0F,
        0xFE20..=0xFE2F,
        0xFEFF..=0xFEFF,
    ];
    is_in(c, &MARKS)
}

/// Returns whether the script has no spaces between words: Thai, Lao, Burmese, Hangul, Khmer, New Tai Lue, Tai Tham,
/// Chinese and Japanese.
fn is_without_spaces(c: char) -> bool {
    const SCRIPTS: [RangeInclusive<u32>; 14] = [
        0xE00..=0xEFF,
        0x1000..=0x109F,
        0x1100..=0x11FF,
        0x1780..=0x17FF,
        0x1980..=0x19DF,
        0x1A20..=0x1AAF,
        0x2E80..=0x2FDF,
        0x3005..=0x30FF,
        0x3100..=0x312F,
        0x31A0..=0x31FF,
        0x3400..=0x9FFF,
        0xA9E0..=0xAA7F,
        0xAC00..=0xFAFF,
        0x20000..=0x3FFFF,
    ];
    !c.is_ascii() && is_in(c, &SCRIPTS) && is_part_of_word(c)
}

/// Returns the replacement of a lower-case letter that Unicode does not decompose.
fn replacement(c: char) -> Option<&'static str> {
    Some(match c {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'þ' => "th",
        'ⱥ' => "a",
        'ƀ' | 'ɓ' => "b",
        'ȼ' => "c",
        'đ' | 'ð' | 'ɗ' | 'ɖ' => "d",
        'ɇ' | 'ə' | 'ɛ' => "e",
        'ƒ' => "f",
        'ɠ' => "g",
        'ħ' => "h",
        'ı' | 'ɨ' => "i",
        'ɉ' => "j",
        'ĸ' | 'ƙ' => "k",
        'ł' | 'ƚ' | 'ɫ' => "l",
        'ŋ' | 'ɲ' => "n",
        'ø' | 'ɔ' | 'ɵ' => "o",
        'ƥ' => "p",
        'ɍ' => "r",
        'ŧ' | 'ƭ' | 'ⱦ' => "t",
        'ʉ' => "u",
        'ƴ' | 'ɏ' => "y",
        'ƶ' => "z",
        'ς' => "σ",
        'ґ' => "г",
        // Arabic letters that are often interchanged, and Persian ones.
        'ٱ' => "ا",
        'ى' | 'ی' => "ي",
        'ة' => "ه",
        'ک' => "ك",
        _ => return digit(c),
    })
}

/// Returns the ASCII digit for a digit of another script.
fn digit(c: char) -> Option<&'static str> {
    const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    const ZEROS: [u32; 5] = [0x660, 0x6F0, 0x966, 0x9E6, 0xE50];
    ZEROS.iter().find_map(|zero| {
        let value = u32::from(c).checked_sub(*zero)?;
        DIGITS.get(value as usize).copied()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(from: &str) -> String {
        text(from).trim().to_owned()
    }

    fn asked(words: &str) -> (String, bool) {
        let phrase = phrase(words);
        (phrase.text, phrase.is_prefix)
    }

    #[test]
    fn case_accents_and_width_make_no_difference() {
        for (from, to) in [
            ("Łódź", "lodz"),
            ("Straße STRASSE ẞ", "strasse strasse ss"),
            ("ещё Ёлка", "еще елка"),
            ("Αθήνα ΟΔΟΣ οδός", "αθηνα οδοσ οδοσ"),
            ("Ærøskøbing Þór Đorđe", "aeroskobing thor dorde"),
            ("İstanbul ISPARTA ılık", "istanbul isparta ilik"),
            ("ﬁne ＡＢＣ１２", "fine abc12"),
            ("Việt Nam, cafe\u{301}", "viet nam, cafe"),
            ("שָׁלוֹם", "שלום"),
            ("مُحَمَّد أحمد مدرسة", "محمد احمد مدرسه"),
            ("٣٤ ۵", "34 5"),
            ("Hawaiʻi co\u{ad}operate", "hawaii cooperate"),
            ("Foo™ a…b “q”", "foo™ a…b “q”"),
            ("हिन्दी", "हिन्दी"),
        ] {
            assert_eq!(folded(from), to, "{from}");
        }
        assert!(matches!(text("Plain ASCII"), Cow::Borrowed("Plain ASCII")));
    }

    #[test]
    fn scripts_without_spaces_are_indexed_as_pairs() {
        for (from, to) in [
            ("東京都", "東京 京都 都"),
            ("山", "山"),
            ("in東京 at", "in 東京 京  at"),
            ("東京。大阪", "東京 京 。 大阪 阪"),
            ("ｶﾞｽ がス", "ガス ス   がス ス"),
            ("서울에서", "서울 울에 에서 서"),
            ("ไทย", "ไท ทย ย"),
        ] {
            assert_eq!(folded(from), to, "{from}");
        }
    }

    #[test]
    fn a_phrase_leaves_the_end_of_a_run_open() {
        for (words, text, is_prefix) in [
            ("東京都", "東京 京都", false),
            ("東京", "東京", false),
            ("京", "京", true),
            ("京。", "京", true),
            ("東京 tower", "東京 京  tower", false),
            ("tower東京", "tower 東京", false),
            ("Łódź", "lodz", false),
            ("＂", "", false),
            ("\u{301}", "", false),
        ] {
            assert_eq!(asked(words), (text.to_owned(), is_prefix), "{words}");
        }
    }
}
